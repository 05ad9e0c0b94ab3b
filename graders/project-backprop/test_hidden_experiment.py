"""The hidden checks of the training, to the last digit.

A training is random, so its weights cannot be known. But with `lr` 0 it gives its starting weights away, and where the
order of the rows has no effect, or only a few orders are possible, everything that follows can be computed here.
"""

import itertools

import pytest
import torch
from torch import nn

from tensorgrade.checks import (
    assert_close,
    assert_dtype,
    assert_not_called,
    assert_shape,
    unpack_tensors,
)
from tensorgrade.errors import CheckFailure

# Some hundred operations of size 1 in float64, in any order.
EXACT = {"rtol": 1e-9, "atol": 1e-9}
NOT_BY_HAND = (
    *("torch.autograd.*", "torch.func.*", "torch.Tensor.backward", "torch.enable_grad", "torch.Tensor.requires_grad_"),
    *("torch.optim*", "*cross_entropy*", "torch.nn.Linear", "torch.nn.Sequential"),
)
PLAIN = {"hidden": [6], "act": "tanh", "classes": 3, "lr": 0.1, "momentum": 0.0, "decay": 0.0, "epochs": 2, "batch": 5}


def draw(rng, *shape):
    """Normal numbers in float64."""
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def draw_rows(rng, rows, features=4, classes=3):
    """Inputs (rows, features) and classes (rows,)."""
    return draw(rng, rows, features), torch.randint(classes, (rows,), generator=rng)


def network_of(result, widths, acts):
    """The parameters, flat, that train returned, each of the right shape; fails if the activations are not these."""
    if type(result) not in (tuple, list) or len(result) != 2 or type(result[0]) is not list:
        raise CheckFailure("train: no pair", "End with `return params, acts`, where params is a list of pairs (W, b).")
    params, found = result
    if type(found) not in (list, tuple) or list(found) != acts:
        hint = 'acts must hold the setting\'s activation for every hidden layer, and "identity" for the last one.'
        raise CheckFailure(f"acts: expected {acts}, got {found!r:.200}", hint)
    if len(params) != len(acts):
        hint = "One layer for each hidden width, and one more for the classes."
        raise CheckFailure(f"expected {len(acts)} layers, got {len(params)}", hint)
    flat = []
    for layer, (pair, i, o) in enumerate(zip(params, widths, widths[1:], strict=False), start=1):
        for name, one, shape in zip(("W", "b"), unpack_tensors(pair, "W", "b"), ((o, i), (o,)), strict=True):
            assert_shape(one, shape, name=f"{name} of layer {layer}")
            assert_dtype(one, torch.float64, name=f"{name} of layer {layer}")
            flat.append(one)
    return flat


def trained(student, setting, x, t, seed):
    """The parameters, flat, after the student's training."""
    widths = (x.shape[1], *setting["hidden"], setting["classes"])
    acts = [setting["act"]] * len(setting["hidden"]) + ["identity"]
    return network_of(student.train(setting, x, t, seed), widths, acts)


def start_of(student, setting, x, t, seed):
    """The parameters before training: those after a training that goes nowhere."""
    return trained(student, setting | {"lr": 0.0}, x, t, seed)


ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


def run(flat, act, x):
    """The scores of a network, by torch."""
    for place in range(0, len(flat), 2):
        x = nn.functional.linear(x, flat[place], flat[place + 1])
        x = ACTIVATIONS[act](x) if place < len(flat) - 2 else x
    return x


def descend(start, setting, batches):
    """The parameters after one step on each batch (x, t), by torch's autograd and optimiser."""
    flat = [nn.Parameter(value.clone()) for value in start]
    named = {"momentum": setting["momentum"], "weight_decay": setting["decay"]}
    optimiser = torch.optim.SGD(flat, setting["lr"], **named)
    for x, t in batches:
        optimiser.zero_grad()
        nn.functional.cross_entropy(run(flat, setting["act"], x), t).backward()
        optimiser.step()
    return [p.detach() for p in flat]


def require_network(found, expected, advice):
    """All parameters are these."""
    for place, (one, wanted) in enumerate(zip(found, expected, strict=True)):
        name = f"{'Wb'[place % 2]} of layer {place // 2 + 1} after the training"
        try:
            assert_close(one, wanted, **EXACT, name=name)
        except CheckFailure as failure:
            raise CheckFailure(failure.rationale, f"{failure.hint} {advice}") from None


@pytest.mark.task("train")
@pytest.mark.needs("test_layers_follow_each_other", "test_loss_and_slope", "test_gradients_of_any_depth")
@pytest.mark.needs("test_steps_of_the_library")
def test_training_is_own_work(student, rng):
    """The network is trained with the parts of this project."""
    x, t = draw_rows(rng, 5)
    assert_not_called(student, "train", NOT_BY_HAND, inputs=(PLAIN, x, t, 3))


@pytest.mark.task("train")
@pytest.mark.needs("test_training_is_own_work")
def test_start_of_training(student, rng):
    """Weights start with the size that the task gives, all different; biases start at 0."""
    x, t = draw_rows(rng, 3, features=100)
    setting = PLAIN | {"hidden": [60, 25], "epochs": 1}
    flat = start_of(student, setting, x, t, 21)
    for layer, weight in enumerate(flat[::2], start=1):
        # 75 weights or more: chance moves the deviation by 8 %, the mean by 0.12 deviations; four times that is well.
        ratio = (weight.std() * weight.shape[1] ** 0.5).item()
        if not 0.67 <= ratio <= 1.33:
            hint = f"The weights of layer {layer} do not start with the size of the text. How many inputs has a layer?"
            raise CheckFailure(f"layer {layer}: deviation {ratio:.3f} of what it should be", hint)
        if not abs(weight.mean()) <= 0.5 * weight.std():
            raise CheckFailure("the mean is not 0", f"The weights of layer {layer} do not start with mean 0.")
        if len(weight.unique()) != weight.numel():
            raise CheckFailure("equal weights", "Weights start out equal; units that start equal stay equal.")
        excess = ((weight / weight.std()) ** 4).mean().item()  # 3 for a normal distribution, 1.8 for a uniform one
        if layer == 1 and not 2.4 <= excess <= 3.8:
            raise CheckFailure(f"fourth moment {excess:.2f}", "The weights do not start as normal random numbers.")
    for bias in flat[1::2]:
        if bias.any():
            raise CheckFailure("a bias starts off 0", "The biases must start at 0.")


@pytest.mark.task("train", weight=2)
@pytest.mark.needs("test_training_is_own_work")
@pytest.mark.parametrize("hidden", [[], [6], [5, 7]], ids=["none", "one", "two"])
def test_training_on_whole_batches(student, rng, hidden):
    """Where one batch holds all rows, the network is that of so many steps from its start, for every setting."""
    for act, lr, momentum, decay, epochs in (
        ("tanh", 0.3, 0.9, 0.0, 4),
        ("relu", 0.1, 0.0, 0.2, 3),
        ("sigmoid", 1.0, 0.5, 0.1, 1),
    ):
        x, t = draw_rows(rng, 7)
        setting = PLAIN | {"hidden": hidden, "act": act, "lr": lr, "momentum": momentum, "decay": decay}
        setting |= {"epochs": epochs, "batch": 7 if act == "tanh" else 20}
        start = start_of(student, setting, x, t, 31)
        expected = descend(start, setting, [(x, t)] * epochs)
        advice = "One batch holds all rows here, so each epoch is one step. Are all numbers of the setting used?"
        require_network(trained(student, setting, x, t, 31), expected, advice)


@pytest.mark.task("train")
@pytest.mark.needs("test_training_is_own_work")
def test_last_batch_counts(student, rng):
    """The last batch of an epoch has the rows that are left."""
    x, t = draw_rows(rng, 1)
    for rows, batch in ((5, 2), (7, 3), (3, 4), (4, 1)):
        many = (x.expand(rows, -1).contiguous(), t.expand(rows).contiguous())  # equal rows: their order has no effect
        setting = PLAIN | {"batch": batch, "momentum": 0.5}
        start = start_of(student, setting, *many, 41)
        steps = 2 * -(-rows // batch)
        advice = "All rows are equal here, and batch does not divide N. How many batches has an epoch?"
        require_network(trained(student, setting, *many, 41), descend(start, setting, [(x, t)] * steps), advice)


@pytest.mark.task("train")
@pytest.mark.needs("test_training_is_own_work")
def test_every_epoch_has_its_order(student, rng):
    """In each epoch each row is used once, and the order is another one from epoch to epoch."""
    x, t = draw_rows(rng, 3)
    setting = PLAIN | {"batch": 1, "lr": 0.5, "hidden": [3]}
    seen = []
    for seed in range(8):
        start, end = start_of(student, setting, x, t, seed), trained(student, setting, x, t, seed)
        fitting = list(itertools.islice(orders_between(start, end, setting, x, t), 1))
        if not fitting:
            hint = "In each epoch, each row must be used exactly once, whatever the order. Where does an epoch end?"
            raise CheckFailure(f"seed {seed}: no order of the rows explains the weights", hint)
        seen += fitting
    # Eight times the same order: by chance once in 6**7 and less.
    if len({first for first, _ in seen}) == 1:
        raise CheckFailure("always the same first order", "The order of the rows is not random, or not by the seed.")
    if all(first == second for first, second in seen):
        raise CheckFailure("both epochs have one order", "The rows come in the same order in every epoch.")


def orders_between(start, end, setting, x, t):
    """The orders of the three rows in two epochs without momentum, by single rows, that lead from start to end."""
    orders = list(itertools.permutations(range(3)))
    for first in orders:
        middle = descend(start, setting, rows_of(x, t, first))
        for second in orders:
            reached = descend(middle, setting, rows_of(x, t, second))
            if all(torch.allclose(one, other, rtol=0.0, atol=1e-9) for one, other in zip(end, reached, strict=True)):
                yield first, second


def rows_of(x, t, order):
    """Batches of one row each."""
    return [(x[row : row + 1], t[row : row + 1]) for row in order]


@pytest.mark.task("train")
@pytest.mark.needs("test_training_is_own_work")
def test_seed_decides_everything(student, rng):
    """The seed alone decides which network comes out; setting and data stay as they are."""
    x, t = draw_rows(rng, 9)
    networks = []
    for everything, seed in ((1, 51), (2, 51), (2, 52)):
        student.seed(everything)
        networks.append(trained(student, PLAIN, x, t, seed))
    for one, again in zip(*networks[:2], strict=True):
        if not torch.equal(one, again):
            hint = (
                "The same seed gives another network the second time. Does all that is random come from your generator?"
            )
            raise CheckFailure("not reproducible", hint)
    if torch.equal(networks[1][0], networks[2][0]):
        raise CheckFailure("equal networks", "Two seeds give the same network. Is the seed used?")
    setting, *after = student.arguments_after(student.train, PLAIN, x, t, 53)
    if setting != PLAIN or not torch.equal(after[0], x) or not torch.equal(after[1], t):
        raise CheckFailure("an argument has changed", "train changes its setting or its data.")
