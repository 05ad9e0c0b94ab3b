"""The hidden checks of the optimiser: step by step beside `torch.optim.SGD`, in float64.

The library's optimiser runs here, outside; beside the student's `PlainSGD` none can be made.
"""

import itertools

import pytest
import torch
from torch import nn

from tensorgrade.checks import Facts, assert_close, assert_not_called
from tensorgrade.errors import CheckFailure

# Twenty steps of a few operations each in float64, in any order; a wrong formula is off in the first digits.
EXACT = {"rtol": 1e-12, "atol": 1e-12}
LIBRARY = ("torch.optim*", "torch._fused_sgd*")
SETTINGS = {
    "plain": (0.1, {}),
    "momentum": (0.1, {"momentum": 0.9}),
    "decay": (0.2, {"decay": 0.3}),
    "both": (0.05, {"momentum": 0.8, "decay": 0.2}),
    "fast": (1.5, {"momentum": 0.5, "decay": 0.1}),
    "heavy": (0.01, {"momentum": 0.99, "decay": 1.0}),
}
SHAPES = ((4, 3), (4,), (4, 3), ())
STEPS = 20


def draw(rng, *shape):
    """Normal numbers in float64."""
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def draw_walk(rng, steps=STEPS, shapes=SHAPES):
    """A start for each parameter, and for each step a gradient for each."""
    start = [draw(rng, *shape) for shape in shapes]
    return start, [[draw(rng, *shape) for shape in shapes] for _ in range(steps)]


def library_walk(start, gradients, lr, options):
    """The parameters after each step of torch.optim.SGD."""
    params = [nn.Parameter(value.clone()) for value in start]
    named = {"momentum": options.get("momentum", 0.0), "weight_decay": options.get("decay", 0.0)}
    optimiser, values = torch.optim.SGD(params, lr, **named), []
    for row in gradients:
        for p, gradient in zip(params, row, strict=True):
            p.grad = None if gradient is None else gradient.clone()
        optimiser.step()
        values.append([p.detach().clone() for p in params])
    return values


def other_walk(start, gradients, lr, options, rule):
    """The first parameter after each step of another rule: (theta, v, g, lr, mu, decay, is_first) to (theta, v)."""
    theta, v, values = start[0].clone(), torch.zeros_like(start[0]), []
    for number, row in enumerate(gradients):
        arguments = (lr, options.get("momentum", 0.0), options.get("decay", 0.0), number == 0)
        theta, v = rule(theta, v, row[0], *arguments)
        values.append(theta)
    return values


def _decoupled(theta, v, g, lr, mu, decay, is_first):
    v = mu * v + g
    return theta - lr * v - lr * decay * theta, v


def _damped(theta, v, g, lr, mu, decay, is_first):
    v = mu * v + (1 - mu) * (g + decay * theta)
    return theta - lr * v, v


def _nesterov(theta, v, g, lr, mu, decay, is_first):
    g = g + decay * theta
    v = mu * v + g
    return theta - lr * (g + mu * v), v


def _without_decay(theta, v, g, lr, mu, decay, is_first):
    v = mu * v + g
    return theta - lr * v, v


def _without_momentum(theta, v, g, lr, mu, decay, is_first):
    return theta - lr * (g + decay * theta), v


def _decay_of_the_square(theta, v, g, lr, mu, decay, is_first):
    v = mu * v + g + 2 * decay * theta
    return theta - lr * v, v


def _first_step_doubled(theta, v, g, lr, mu, decay, is_first):
    g = g + decay * theta
    v = (1 + mu) * g if is_first else mu * v + g
    return theta - lr * v, v


RULES = {
    "The decay is taken off the parameter separately. It joins the gradient, before the momentum.": _decoupled,
    "The gradient is multiplied by 1 minus the momentum. Compare with the formula for v.": _damped,
    "The momentum acts one step ahead. Compare with the formula for theta.": _nesterov,
    "The decay has no effect.": _without_decay,
    "The momentum has no effect: v is not kept from step to step.": _without_momentum,
    "The decay is twice as strong as it should be.": _decay_of_the_square,
    "The velocity of the first step is the first gradient alone: nothing is there to be kept.": _first_step_doubled,
}


def require_walk(found, start, gradients, lr, options, advice=""):
    """The parameters after every step are those of the library."""
    expected = library_walk(start, gradients, lr, options)
    if type(found) is not list or len(found) != len(expected):
        raise CheckFailure("walk: not as many steps", "step() could not be called as often as it should.")
    for number, (row, wanted) in enumerate(zip(found, expected, strict=True)):
        for place, (one, value) in enumerate(zip(row, wanted, strict=True)):
            mistakes = {}
            if place == 0:
                mistakes = {
                    hint: lambda rule=rule, number=number: other_walk(start, gradients, lr, options, rule)[number]
                    for hint, rule in RULES.items()
                }
            when = "the first step" if number == 0 else "some steps"
            try:
                assert_close(one, value, **EXACT, name=f"a parameter after {when}", facts=Facts(mistakes=mistakes))
            except CheckFailure as failure:
                with_what = " and ".join(sorted(options)) or "neither momentum nor decay"
                if any(before.shape == value.shape for before in wanted[:place]):
                    advice = f"Another parameter of the same shape is right: do they share something? {advice}"
                hint = f"{failure.hint} (With {with_what}.) {advice}".strip()
                raise CheckFailure(failure.rationale, hint) from None


@pytest.mark.task("PlainSGD")
def test_optimiser_is_own_work(student, rng):
    """The steps are computed without the library's optimisers."""
    start, gradients = draw_walk(rng, 2)
    inputs = (student.PlainSGD, start, gradients, 0.1, {"momentum": 0.9}, False)
    assert_not_called(student, "PlainSGD", LIBRARY, inputs=inputs, function=student.load("descent").steps)
    student.load("descent").walk(*inputs)  # whatever it is called by, the library's optimiser cannot be made here


@pytest.mark.task("PlainSGD", weight=2)
@pytest.mark.needs("test_optimiser_is_own_work")
@pytest.mark.parametrize("name", SETTINGS)
def test_steps_of_the_library(student, rng, name):
    """Twenty steps lead to the library's parameters, to the last digits."""
    lr, options = SETTINGS[name]
    start, gradients = draw_walk(rng)
    found = student.load("descent").walk(student.PlainSGD, start, gradients, lr, options, False)
    require_walk(found[0], start, gradients, lr, options)


@pytest.mark.task("PlainSGD")
@pytest.mark.needs("test_optimiser_is_own_work")
@pytest.mark.parametrize("name", ["momentum", "decay", "both"])
def test_gradients_in_the_same_tensor(student, rng, name):
    """A loop that writes every gradient into the same tensor gets the same steps, and finds its gradients unchanged."""
    lr, options = SETTINGS[name]
    start, gradients = draw_walk(rng)
    values, left, _ = student.load("descent").walk(student.PlainSGD, start, gradients, lr, options, True)
    advice = "Here the loop writes each gradient into the same tensor. Is a velocity this tensor itself, not a copy?"
    require_walk(values, start, gradients, lr, options, advice)
    for row, given in zip(left, gradients, strict=True):
        for one, gradient in zip(row, given, strict=True):
            try:
                assert_close(one, gradient, rtol=0.0, atol=0.0, name=".grad after step()")
            except CheckFailure as failure:
                raise CheckFailure(failure.rationale, "step() changes .grad; it should only read it.") from None


@pytest.mark.task("PlainSGD")
@pytest.mark.needs("test_optimiser_is_own_work")
def test_parameters_stay_parameters(student, rng):
    """Parameters are changed in place: the same objects, leaves that ask for a gradient."""
    start, gradients = draw_walk(rng, 2)
    walk = student.load("descent").walk
    values, _, are_leaves = walk(student.PlainSGD, start, gradients, 0.1, {"momentum": 0.9, "decay": 0.1}, False)
    if all(torch.equal(one, before) for one, before in zip(values[-1], start, strict=True)):
        hint = "The parameters that were handed in have not changed. `p = p - ...` makes a new tensor: change p itself."
        raise CheckFailure("the parameters have not moved", hint)
    if are_leaves != [True] * len(start):
        hint = "After a step a parameter is no leaf any more, or needs no gradient. Step inside torch.no_grad()."
        raise CheckFailure("a parameter is no leaf", hint)


@pytest.mark.task("PlainSGD")
@pytest.mark.needs("test_optimiser_is_own_work")
def test_parameters_without_gradient(student, rng):
    """A parameter without a gradient is skipped, now or always: no decay, and its velocity waits."""
    lr, options = SETTINGS["both"]
    start, gradients = draw_walk(rng)
    for number, row in enumerate(gradients):
        row[1] = None
        if number % 3 == 1 or number == 0:
            row[0] = None
    found = student.load("descent").walk(student.PlainSGD, start, gradients, lr, options, False)
    advice = "Some parameters have no gradient here, in some steps or in all."
    require_walk(found[0], start, gradients, lr, options, advice)


@pytest.mark.task("PlainSGD")
@pytest.mark.needs("test_optimiser_is_own_work")
def test_two_optimisers_at_once(student, rng):
    """Two optimisers with parameters of the same shape do not share a velocity."""
    start, gradients = draw_walk(rng, 6, ((3, 2), (3, 2)))
    lr, options = SETTINGS["both"]
    found = student.load("descent").alternating(student.PlainSGD, start, gradients, lr, options)
    expected = library_walk(start, gradients, lr, options)[-1]
    for one, wanted in zip(found, expected, strict=True):
        try:
            assert_close(one, wanted, **EXACT, name="a parameter of one of two optimisers")
        except CheckFailure as failure:
            hint = (
                "Two optimisers run side by side, and disturb each other. Do they share a list, or a class attribute?"
            )
            raise CheckFailure(failure.rationale, hint) from None


@pytest.mark.task("PlainSGD")
@pytest.mark.needs("test_optimiser_is_own_work")
def test_learning_rate_may_change(student, rng):
    """A learning rate that is set between steps holds for the steps that follow, and leaves the velocity alone."""
    start, gradients = draw_walk(rng, 6)
    rates, options = [0.1, 0.1, 0.4, 0.05, 0.05, 1.0], {"momentum": 0.9, "decay": 0.1}
    found = student.load("descent").walk_by_schedule(student.PlainSGD, start, gradients, rates, options)
    params = [nn.Parameter(value.clone()) for value in start]
    library = torch.optim.SGD(params, rates[0], momentum=0.9, weight_decay=0.1)
    for rate, row in zip(rates, gradients, strict=True):
        library.param_groups[0]["lr"] = rate
        for p, gradient in zip(params, row, strict=True):
            p.grad = gradient
        library.step()
    for one, wanted in zip(found, params, strict=True):
        try:
            assert_close(one, wanted.detach(), **EXACT, name="a parameter")
        except CheckFailure as failure:
            hint = (
                "Here optimiser.lr is set between steps. Is it read in every step, and is it kept out of the velocity?"
            )
            raise CheckFailure(failure.rationale, hint) from None


@pytest.mark.task("PlainSGD")
@pytest.mark.needs("test_optimiser_is_own_work")
def test_clear_forgets_gradients(student, rng):
    """After clear every gradient is None or zeros, also where there was none before."""
    start, (row,) = draw_walk(rng, 1)
    for given in (row, [None, *row[1:]], [None] * len(row)):
        for one in student.load("descent").cleared(student.PlainSGD, start, given):
            if one is not None and not (isinstance(one, torch.Tensor) and torch.equal(one, torch.zeros_like(one))):
                raise CheckFailure(
                    f"a gradient is {one!r:.200} after clear", "A gradient is still there after clear()."
                )


@pytest.mark.task("PlainSGD")
@pytest.mark.needs("test_optimiser_is_own_work")
def test_training_with_autograd(student, rng):
    """A small training with backward() and clear() ends at the library's weights."""
    start, x, target = [draw(rng, 2, 3), draw(rng, 2)], draw(rng, 8, 3), draw(rng, 8, 2)
    for lr, options in (SETTINGS["plain"], SETTINGS["both"]):
        found = student.load("descent").fit(student.PlainSGD, start, x, target, 15, lr, options)
        weight, bias = (nn.Parameter(value.clone()) for value in start)
        named = {"momentum": options.get("momentum", 0.0), "weight_decay": options.get("decay", 0.0)}
        library = torch.optim.SGD([weight, bias], lr, **named)
        for _ in range(15):
            library.zero_grad()
            (nn.functional.linear(x, weight, bias) - target).square().mean().backward()
            library.step()
        for name, one, wanted in zip(("the weight", "the bias"), found, (weight, bias), strict=True):
            assert_close(one, wanted.detach(), rtol=1e-9, atol=1e-11, name=f"{name} after a training")


WIDTHS = (4, 5, 3)
HP = {"plain": {"lr": 0.3, "momentum": 0.0, "decay": 0.0}, "both": {"lr": 0.1, "momentum": 0.9, "decay": 0.05}}


def draw_batches(rng, sizes=(6, 6, 3, 1)):
    """Batches (N, 4) with classes (N,), of different sizes."""
    return [(draw(rng, size, WIDTHS[0]), torch.randint(WIDTHS[-1], (size,), generator=rng)) for size in sizes]


def expected_losses(batches, hp, epochs, seed, *, learns=True):
    """The loss before each step of the library's optimiser, or of none."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        first, second = (nn.Linear(i, o, dtype=torch.float64) for i, o in itertools.pairwise(WIDTHS))
    net = nn.Sequential(first, nn.Tanh(), second)
    optimiser = torch.optim.SGD(net.parameters(), hp["lr"], hp["momentum"], weight_decay=hp["decay"])
    losses = []
    for _ in range(epochs):
        for x, t in batches:
            loss = nn.functional.cross_entropy(net(x), t)
            optimiser.zero_grad()
            loss.backward()
            if learns:
                optimiser.step()
            losses.append(loss.detach())
    return torch.stack(losses)


def as_losses(found, name, count):
    """One of the two lists, as a tensor (count,)."""
    if type(found) is not dict or set(found) != {"own", "lib"}:
        raise CheckFailure("duel: not the two keys", 'Return {"own": [...], "lib": [...]}.')
    losses = found[name]
    if type(losses) is not list or not all(type(one) in (int, float) for one in losses):
        raise CheckFailure(
            f"duel: {name}: no list of numbers", "Each of the two lists holds plain numbers: loss.item()."
        )
    if len(losses) != count:
        hint = f'"{name}" must hold one loss for each batch of each epoch.'
        raise CheckFailure(f"{name}: expected {count} losses, got {len(losses)}", hint)
    return torch.tensor(losses, dtype=torch.float64)


def require_losses(found, expected, advice=None):
    """Both lists are right to nine digits: some steps of training in any order of operations."""
    for name in ("lib", "own"):
        wanted = expected[name]
        losses = as_losses(found, name, len(wanted))
        try:
            assert_close(losses[:1], wanted[:1], rtol=1e-9, atol=1e-9, name=f'the first loss of "{name}"')
        except CheckFailure as failure:
            hint = (
                f'The first loss of "{name}" is not that of the untrained network. '
                "Is the generator seeded right before each network, are the batches in their order, and is the loss "
                "taken before the step?"
            )
            raise CheckFailure(failure.rationale, hint) from None
        try:
            assert_close(losses, wanted, rtol=1e-9, atol=1e-9, name=f'the losses of "{name}"')
        except CheckFailure as failure:
            hint = advice or (
                f'The losses of "{name}" start right and then go another way. Are gradients cleared before each '
                "backward(), and are all of lr, momentum and decay handed on?"
            )
            raise CheckFailure(failure.rationale, hint) from None


@pytest.mark.task("duel", weight=2)
@pytest.mark.needs("test_steps_of_the_library")
@pytest.mark.parametrize("name", HP)
def test_both_learn_alike(student, rng, name):
    """Both networks start equal, see the same batches and end with the same losses."""
    batches = draw_batches(rng)
    for epochs, seed in ((3, 11), (1, 12)):
        found, _ = student.load("descent").duel(student.duel, WIDTHS, batches, HP[name], epochs, seed)
        expected = expected_losses(batches, HP[name], epochs, seed)
        require_losses(found, {"own": expected, "lib": expected})


@pytest.mark.task("duel")
@pytest.mark.needs("test_both_learn_alike")
@pytest.mark.parametrize("disabled", ["own", "lib"])
def test_each_has_its_optimiser(student, rng, disabled):
    """One network is trained by PlainSGD, the other by torch.optim.SGD: if one stands still, the other goes on."""
    batches = draw_batches(rng)
    arguments = (WIDTHS, batches, HP["both"], 2, 13)
    found = student.load("descent").duel_without(disabled, student.duel, student.PlainSGD, arguments)
    learning = expected_losses(batches, HP["both"], 2, 13)
    expected = {"own": learning, "lib": learning, disabled: expected_losses(batches, HP["both"], 2, 13, learns=False)}
    advice = (
        "In this check the steps of one of the two optimisers do nothing. "
        '"own" must come from PlainSGD alone, "lib" from torch.optim.SGD alone.'
    )
    require_losses(found, expected, advice)


@pytest.mark.task("duel")
@pytest.mark.needs("test_steps_of_the_library")
def test_duel_can_be_repeated(student, rng):
    """The same duel again has the same losses, and the batches are as they were."""
    batches = draw_batches(rng)
    run = student.load("descent").duel
    expected = expected_losses(batches, HP["both"], 2, 14)
    for seed in (14, 15, 14):
        found, after = run(student.duel, WIDTHS, batches, HP["both"], 2, seed)
        same = all(
            torch.equal(x, y) for old, new in zip(batches, after, strict=True) for x, y in zip(old, new, strict=True)
        )
        if not same:
            raise CheckFailure("the batches have changed", "The batches are not what they were before the duel.")
    require_losses(found, {"own": expected, "lib": expected})
