"""The hidden checks of the network: forward pass, losses and backward pass, all by hand.

The reference is torch's own autograd, here, outside; beside the student's code it is switched off. Widths are pairwise
different, so that an exchanged axis cannot hide.
"""

import itertools

import pytest
import torch
from torch import nn

from tensorgrade.checks import (
    Facts,
    assert_close,
    assert_dtype,
    assert_finite,
    assert_gradient,
    assert_not_called,
    assert_not_mutated,
    assert_shape,
    unpack_tensors,
)
from tensorgrade.errors import CheckFailure

# Sums of some ten products of size 1 in float64, in any order; a rounding to float32 is off by 1e-8 and more.
EXACT = {"rtol": 1e-10, "atol": 1e-11}
ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": lambda z: z}
# What Part A excludes. `torch.no_grad` and the like are welcome.
AUTOGRAD = (
    *("torch.autograd.*", "torch.func.*", "torch.Tensor.backward", "torch.enable_grad"),
    *("torch.Tensor.requires_grad_", "torch.Tensor.requires_grad.__set__"),
)
READY_MADE = ("*cross_entropy*", "*log_softmax*", "*nll_loss*", "*mse_loss*", "torch.nn.*Loss")
WIDTHS = {1: (7, 3), 2: (7, 5, 3), 3: (7, 5, 4, 2), 4: (3, 6, 2, 5, 4), 5: (4, 2, 6, 3, 7, 5), 6: (5, 3, 4, 2, 6, 7, 3)}


def draw(rng, *shape):
    """Normal numbers in float64."""
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def draw_network(rng, widths, act=None):
    """Weights (o, i) and biases (o,) of size 1 / sqrt(i), and a random activation for each layer, or the given one."""
    params = [(draw(rng, o, i) / i**0.5, 0.5 * draw(rng, o)) for i, o in itertools.pairwise(widths)]
    kinds = list(ACTIVATIONS)
    drawn = torch.randint(len(kinds), (len(params),), generator=rng).tolist()
    return params, [act or kinds[number] for number in drawn]


def run_layers(params, acts, x):
    """The output (N, o) and every z before an activation, differentiable by torch."""
    before = []
    for (weight, bias), act in zip(params, acts, strict=True):
        before.append(nn.functional.linear(x, weight, bias))
        x = ACTIVATIONS[act](before[-1])
    return x, before


def expected_gradients(params, acts, x, along):
    """The gradients of every weight and bias, by torch."""
    leaves = [tuple(part.clone().requires_grad_() for part in pair) for pair in params]
    run_layers(leaves, acts, x)[0].backward(along)
    return [tuple(torch.zeros_like(p) if p.grad is None else p.grad for p in pair) for pair in leaves]


def output_of(result):
    """Y of what run_forward returned."""
    if type(result) not in (tuple, list) or len(result) != 2:
        raise CheckFailure(f"run_forward: no pair, got {type(result).__name__}", "End with `return Y, cache`.")
    if result[1] is None or (type(result[1]) in (tuple, list, dict) and not result[1]):
        raise CheckFailure("the cache is empty", "The cache is empty. What will run_backward need?")
    return result[0]


def as_pairs(found, params):
    """The gradients that run_backward returned, a pair for each layer and each of the right shape."""
    if type(found) not in (tuple, list) or len(found) != len(params):
        hint = "run_backward must return a list with one pair (dW, db) for each layer."
        raise CheckFailure(f"expected {len(params)} pairs, got {type(found).__name__}", hint)
    pairs = [unpack_tensors(pair, "dW", "db") for pair in found]
    for layer, (pair, wanted) in enumerate(zip(pairs, params, strict=True), start=1):
        for name, one, of in zip(("dW", "db"), pair, wanted, strict=True):
            assert_shape(one, of.shape, name=f"{name} of layer {layer} of {len(params)}")
    return pairs


def require_gradients(found, expected, advice="", mistakes=None):
    """Every gradient is right to the last digits; the hint says in which layer the first wrong one is, from the end."""
    try:
        pairs = as_pairs(found, expected)
    except CheckFailure as failure:
        raise CheckFailure(failure.rationale, f"{failure.hint} {advice}".strip()) from None
    for layer in range(len(expected), 0, -1):
        for name, one, wanted in zip(("dW", "db"), pairs[layer - 1], expected[layer - 1], strict=True):
            facts = Facts(mistakes=mistakes(layer - 1, name) if mistakes else {})
            try:
                assert_close(one, wanted, **EXACT, name=f"{name} of layer {layer} of {len(expected)}", facts=facts)
            except CheckFailure as failure:
                place = "" if layer == len(expected) else " Those of the layers after it are right."
                raise CheckFailure(failure.rationale, f"{failure.hint}{place} {advice}".strip()) from None


@pytest.mark.task("run_forward", weight=2)
@pytest.mark.parametrize("depth", WIDTHS)
def test_layers_follow_each_other(student, rng, depth):
    """The output is that of all layers, one after the other, for any depth and number of rows."""
    for rows in (1, 2, 6):
        params, acts = draw_network(rng, WIDTHS[depth])
        x = draw(rng, rows, WIDTHS[depth][0])
        out = output_of(student.run_forward(params, acts, x))
        assert_close(out, run_layers(params, acts, x)[0], **EXACT, name="Y")


@pytest.mark.task("run_forward")
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_each_activation(student, rng, act):
    """Each activation is the one of the table, also for large numbers."""
    params, acts = draw_network(rng, (4, 5, 3), act)
    x, name = draw(rng, 6, 4), f'Y of two layers with "{act}"'
    assert_close(output_of(student.run_forward(params, acts, x)), run_layers(params, acts, x)[0], **EXACT, name=name)
    one = [(torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64))]
    x = torch.tensor([[-900.0, -30.0, 0.0], [30.0, 900.0, -1.0]], dtype=torch.float64)
    expected = ACTIVATIONS[act](x)
    name = f'Y of "{act}" for z in the hundreds'
    assert_close(output_of(student.run_forward(one, [act], x)), expected, **EXACT, name=name)


@pytest.mark.task("run_forward")
def test_forward_keeps_precision_and_arguments(student, rng):
    """The output is float64, and weights and batch stay as they are."""
    for act in ACTIVATIONS:
        params, acts = draw_network(rng, (4, 5, 3), act)
        x = draw(rng, 6, 4)
        assert_dtype(output_of(student.run_forward(params, acts, x)), torch.float64, name="Y")
        assert_not_mutated(student, student.run_forward, (params, acts, x))


def reference_loss(kind, out, target):
    """The loss by torch, differentiable."""
    if kind == "ce":
        return nn.functional.cross_entropy(out, target)
    return nn.functional.mse_loss(out, target, reduction="sum") / len(out)


def reference_slope(kind, out, target):
    """The derivative of the loss by the output, by torch."""
    leaf = out.clone().requires_grad_()
    reference_loss(kind, leaf, target).backward()
    return leaf.grad


def draw_targets(rng, kind, rows, classes):
    """Targets (rows, classes) of numbers, or (rows,) of classes."""
    return draw(rng, rows, classes) if kind == "sq" else torch.randint(classes, (rows,), generator=rng)


def losses_of(student, kind, out, target):
    """Loss, as a tensor without axes, and dY of the student's criterion, with autograd switched off."""
    result = student.load("network").loss(student.criterion, kind, out, target)
    if type(result) not in (tuple, list) or len(result) != 2:
        raise CheckFailure("criterion: no pair", "End with `return loss, dY`.")
    loss, slope = result
    if type(loss) in (int, float):
        loss = torch.tensor(float(loss), dtype=torch.float64)
    assert_shape(loss, (), name="the loss")
    return loss, slope


def require_criterion(student, kind, out, target):
    """Loss and derivative are right."""
    loss, slope = losses_of(student, kind, out, target)
    n, c = out.shape
    facts = Facts(sizes={"N": n, "the width of Y": c, "N times the width of Y": n * c})
    assert_close(loss, reference_loss(kind, out, target), **EXACT, name="the loss", facts=facts)
    if kind == "ce":
        facts = Facts(sizes=facts.sizes, mistakes=usual_slopes(out, target))
    assert_close(slope, reference_slope(kind, out, target), **EXACT, name="dY", facts=facts)


def usual_slopes(out, target):
    """What well-known mistakes give for the derivative of the cross-entropy, by hint."""
    n, probability, right = len(out), out.softmax(1), nn.functional.one_hot(target, out.shape[1]).double()
    return {
        "The right class has no term of its own. What is the derivative of ln p there?": probability / n,
        "Only the right class has a derivative. All scores of a row are in its sum.": (probability - 1) * right / n,
        "The sign is the other way round.": (right - probability) / n,
        "The softmax runs over the rows. Each row has its own.": (out.softmax(0) - right) / n,
    }


@pytest.mark.task("criterion")
@pytest.mark.parametrize("kind", ["sq", "ce"])
def test_criterion_is_own_work(student, rng, kind):
    """Loss and derivative are written by hand."""
    inputs = (kind, draw(rng, 3, 4), draw_targets(rng, kind, 3, 4))
    assert_not_called(student, "criterion", (*AUTOGRAD, *READY_MADE), inputs=inputs)


@pytest.mark.task("criterion", weight=2)
@pytest.mark.needs("test_criterion_is_own_work")
@pytest.mark.parametrize("kind", ["sq", "ce"])
def test_loss_and_slope(student, rng, kind):
    """The loss is the mean over the rows, and dY its derivative, for any number of rows and columns."""
    for rows, classes in ((5, 3), (3, 7), (1, 4), (4, 1), (6, 6)):
        require_criterion(student, kind, draw(rng, rows, classes), draw_targets(rng, kind, rows, classes))


@pytest.mark.task("criterion")
@pytest.mark.needs("test_criterion_is_own_work")
@pytest.mark.parametrize("kind", ["sq", "ce"])
def test_slope_is_the_derivative(student, rng, kind):
    """DY is the derivative of the loss, as finite differences of the loss itself give it."""
    out, target = draw(rng, 4, 5), draw_targets(rng, kind, 4, 5)
    _, slope = losses_of(student, kind, out, target)
    assert_gradient(slope, lambda y: losses_of(student, kind, y, target)[0], out, rng=rng, rtol=1e-6, name="dY")


@pytest.mark.task("criterion")
@pytest.mark.needs("test_criterion_is_own_work")
def test_rows_written_twice(student, rng):
    """A batch in which every row stands twice has the same loss."""
    for kind in ("sq", "ce"):
        out, target = draw(rng, 3, 4), draw_targets(rng, kind, 3, 4)
        loss, slope = losses_of(student, kind, out, target)
        loss_twice, slope_twice = losses_of(student, kind, torch.cat([out, out]), torch.cat([target, target]))
        advice = "Is loss, or dY, a sum over the rows where it should be a mean?"
        for name, actual, expected in (
            ("the loss", loss_twice, loss),
            ("dY", slope_twice, torch.cat([slope, slope]) / 2),
        ):
            try:
                assert_close(actual, expected, **EXACT, name=name)
            except CheckFailure as failure:
                hint = f"Every row stands twice here, and {name} is not what it should be. {advice}"
                raise CheckFailure(failure.rationale, hint) from None
        # A criterion that is 0 everywhere passes what is above.
        assert_close(loss, reference_loss(kind, out, target), **EXACT, name="the loss")


@pytest.mark.task("criterion", weight=2)
@pytest.mark.needs("test_criterion_is_own_work")
def test_large_scores(student, rng):
    """Scores of up to 10,000, of either sign and beside each other, give finite and right results."""
    advice = "Subtract the row's largest score first, and do not take the logarithm of a probability."
    for scores in (
        [[1e4, 0.0, -1e4], [-1e4, -1e4, -1e4 + 1]],
        [[800.0, 801.0, 799.0], [1e4, -1e4, 1e4]],
        [[0.0, -1e4, 3.0], [-750.0, -750.0, -751.0]],
    ):
        out = torch.tensor(scores, dtype=torch.float64)
        for target in (torch.tensor([0, 2]), torch.tensor([1, 1]), torch.tensor([2, 0])):
            loss, slope = losses_of(student, "ce", out, target)
            try:
                # 1e4 has 12 digits left behind the point.
                assert_close(loss, reference_loss("ce", out, target), rtol=1e-11, atol=1e-11, name="the loss")
                assert_close(slope, reference_slope("ce", out, target), rtol=0.0, atol=1e-11, name="dY")
            except CheckFailure as failure:
                raise CheckFailure(failure.rationale, f"{failure.hint} {advice}") from None


@pytest.mark.task("criterion")
@pytest.mark.needs("test_criterion_is_own_work")
def test_criterion_keeps_arguments(student, rng):
    """Output and targets stay as they are, and dY is no view of them."""
    for kind in ("sq", "ce"):
        out, target = draw(rng, 4, 3), draw_targets(rng, kind, 4, 3)
        assert_not_mutated(student, student.criterion, (kind, out, target))
        assert_dtype(losses_of(student, kind, out, target)[1], torch.float64, name="dY")


def gradients_of(student, params, acts, x, along, run="gradients"):
    """What run_backward returns after run_forward, with autograd switched off."""
    return getattr(student.load("network"), run)(student.run_forward, student.run_backward, params, acts, x, along)


def usual_mistakes(params, acts, x, along):
    """For a layer and a part of its gradients: what well-known mistakes give, by hint."""

    def of(layer, name):
        part = ("dW", "db").index(name)
        return {
            "The slope of the activation is missing.": lambda: by_hand_with(params, acts, x, along, torch.ones_like)[
                layer
            ][part],
            "Is the slope computed from z, where its formula wants the value of the activation?": lambda: by_hand_with(
                params, acts, x, along, None
            )[layer][part],
            "Only the first row counts. The gradients of all rows are added up.": lambda: expected_gradients(
                params, acts, x[:1], along[:1]
            )[layer][part],
            "It is divided by N. That factor is in dY already.": lambda: (
                expected_gradients(params, acts, x, along)[layer][part] / len(x)
            ),
        }

    return of


def by_hand_with(params, acts, x, along, slope):
    """The gradients with a wrong slope: one function for all activations, or None for the formula at z."""
    formulas = {
        "tanh": lambda h: 1 - h**2,
        "sigmoid": lambda h: h * (1 - h),
        "relu": lambda h: (h > 0).double(),
        "identity": torch.ones_like,
    }
    _, before = run_layers(params, acts, x)
    inputs = [x, *(ACTIVATIONS[act](z) for act, z in zip(acts, before, strict=True))]
    pairs = []
    for layer in range(len(params) - 1, -1, -1):
        along = along * (slope or formulas[acts[layer]])(before[layer])
        pairs.append((along.T @ inputs[layer], along.sum(0)))
        along = along @ params[layer][0]
    return pairs[::-1]


@pytest.mark.task("run_backward")
@pytest.mark.needs("test_layers_follow_each_other")
def test_backward_is_own_work(student, rng):
    """The derivatives are written by hand."""
    params, acts = draw_network(rng, (4, 5, 3))
    inputs = (student.run_forward, student.run_backward, params, acts, draw(rng, 6, 4), draw(rng, 6, 3))
    watched = student.load("network").watched
    assert_not_called(student, "run_forward", AUTOGRAD, inputs=inputs, function=watched)
    assert_not_called(student, "run_backward", AUTOGRAD, inputs=inputs, function=watched)


@pytest.mark.task("run_backward", weight=2)
@pytest.mark.needs("test_backward_is_own_work")
@pytest.mark.parametrize("depth", WIDTHS)
def test_gradients_of_any_depth(student, rng, depth):
    """The gradients of all weights and biases are right for any depth, any activations and any number of rows."""
    for rows in (1, 2, 6):
        params, acts = draw_network(rng, WIDTHS[depth])
        x, along = draw(rng, rows, WIDTHS[depth][0]), draw(rng, rows, WIDTHS[depth][-1])
        expected = expected_gradients(params, acts, x, along)
        mistakes = usual_mistakes(params, acts, x, along)
        require_gradients(gradients_of(student, params, acts, x, along), expected, mistakes=mistakes)


@pytest.mark.task("run_backward")
@pytest.mark.needs("test_backward_is_own_work")
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_each_slope(student, rng, act):
    """Each activation has its own derivative, as finite differences of the output give it."""
    params, acts, x, along = away_from_kinks(rng, act)
    pairs = as_pairs(gradients_of(student, params, acts, x, along), params)
    (first, bias), *rest = params
    assert_gradient(
        pairs[0][0],
        lambda weight: run_layers([(weight, bias), *rest], acts, x)[0],
        first,
        rng=rng,
        along=along,
        rtol=1e-6,
        name=f'dW of the first of two layers with "{act}"',
    )
    expected, mistakes = expected_gradients(params, acts, x, along), usual_mistakes(params, acts, x, along)
    require_gradients(pairs, expected, f'Both layers have the activation "{act}".', mistakes)


def away_from_kinks(rng, act):
    """A network of two layers whose every z is further than 1e-3 from 0, where relu has its kink."""
    while True:
        params, acts = draw_network(rng, (4, 5, 3), act)
        x, along = draw(rng, 6, 4), draw(rng, 6, 3)
        reaches = expected_gradients(params, acts, x, along)[0][0].abs().max() > 1e-2  # not all relus are dead
        if reaches and all(z.abs().min() > 1e-3 for z in run_layers(params, acts, x)[1]):
            return params, acts, x, along


@pytest.mark.task("run_backward")
@pytest.mark.needs("test_backward_is_own_work")
def test_kink_has_slope_zero(student, rng):
    """Where the input of a relu is exactly 0, nothing passes."""
    params = [(draw(rng, 3, 4), torch.zeros(3, dtype=torch.float64)), (draw(rng, 2, 3), draw(rng, 2))]
    x, along = draw(rng, 5, 4), draw(rng, 5, 2)
    x[1], x[3] = 0.0, 0.0
    acts = ["relu", "identity"]
    advice = "Here the input of some relus is exactly 0, where the task sets the derivative to 0."
    require_gradients(gradients_of(student, params, acts, x, along), expected_gradients(params, acts, x, along), advice)


@pytest.mark.task("run_backward")
@pytest.mark.needs("test_backward_is_own_work")
def test_rows_without_gradient(student, rng):
    """A row whose dY is 0 contributes nothing, and the others are added up."""
    params, acts = draw_network(rng, (4, 5, 3), "tanh")
    x, along = draw(rng, 6, 4), draw(rng, 6, 3)
    silent = torch.tensor([0, 3, 4])
    along[silent] = 0.0
    keep = torch.tensor([1, 2, 5])
    expected = expected_gradients(params, acts, x[keep], along[keep])
    advice = "In some rows dY is 0 here, and the result has to be that of the other rows alone, added up."
    require_gradients(gradients_of(student, params, acts, x, along), expected, advice)


@pytest.mark.task("run_backward")
@pytest.mark.needs("test_backward_is_own_work")
def test_backward_changes_nothing(student, rng):
    """Weights, cache, batch and dY stay as they are: the second pass back gives what the first one gave."""
    for act in ACTIVATIONS:
        params, acts = draw_network(rng, (4, 5, 4, 3), act)
        x, along = draw(rng, 6, 4), draw(rng, 6, 3)
        found = gradients_of(student, params, acts, x, along, "gradients_twice")
        first, second, *after = found
        require_gradients(first, expected_gradients(params, acts, x, along))
        advice = "This is the second call with the same cache. Is something changed in place, or taken out of a list?"
        require_gradients(second, expected_gradients(params, acts, x, along), advice)
        pairs = as_pairs(after[0], params)
        unchanged = [*(part for pair in pairs for part in pair), after[2], after[3]]
        for one, before in zip(unchanged, [*(part for pair in params for part in pair), x, along], strict=True):
            if not torch.equal(one, before) or after[1] != acts:
                hint = "run_backward, or run_forward, changes one of its arguments in place."
                raise CheckFailure("an argument has changed", hint)


@pytest.mark.task("run_backward")
@pytest.mark.needs("test_backward_is_own_work")
def test_cache_belongs_to_its_batch(student, rng):
    """A cache holds what its own forward pass computed, also after another batch went forward."""
    params, acts = draw_network(rng, (4, 5, 3))
    first, second, along = draw(rng, 6, 4), draw(rng, 6, 4), draw(rng, 6, 3)
    run = student.load("network").gradients_of_the_first
    found = run(student.run_forward, student.run_backward, params, acts, first, second, along)
    advice = "Between forward and backward another batch went forward. Is something kept outside of the cache?"
    require_gradients(found, expected_gradients(params, acts, first, along), advice)


@pytest.mark.task("run_backward")
@pytest.mark.needs("test_backward_is_own_work")
def test_saturated_layers(student, rng):
    """Inputs in the hundreds, where activations are flat, give finite gradients."""
    for act in ACTIVATIONS:
        params, acts = draw_network(rng, (4, 5, 3), act)
        x, along = 500 * draw(rng, 6, 4), draw(rng, 6, 3)
        found = as_pairs(gradients_of(student, params, acts, x, along), params)
        for one, wanted in zip(found, expected_gradients(params, acts, x, along), strict=True):
            for name, part, expected in zip(("dW", "db"), one, wanted, strict=True):
                assert_finite(part, name=f'{name} with "{act}" for z in the hundreds')
                # Slopes near 1e-16 are rounded, and the inputs are of size 500.
                assert_close(part, expected, rtol=1e-6, atol=1e-8, name=f'{name} with "{act}" for z in the hundreds')


@pytest.mark.task("run_backward", weight=2)
@pytest.mark.needs("test_backward_is_own_work", "test_loss_and_slope")
@pytest.mark.parametrize("kind", ["sq", "ce"])
def test_whole_chain(student, rng, kind):
    """Forward pass, loss and backward pass together give the derivative of the loss."""
    params, acts = draw_network(rng, (5, 6, 4, 3), "tanh")
    x, target = draw(rng, 7, 5), draw_targets(rng, kind, 7, 3)
    run = student.load("network").gradients_of_loss
    found = run(student.run_forward, student.criterion, student.run_backward, params, acts, x, kind, target)
    out = run_layers(params, acts, x)[0]
    require_gradients(found, expected_gradients(params, acts, x, reference_slope(kind, out, target)))
