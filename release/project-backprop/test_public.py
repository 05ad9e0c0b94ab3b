"""The checks that come with the notebook: small cases whose answers can be found by hand."""

import math

import pytest
import torch

from tensorgrade.checks import assert_close, assert_shape, unpack_tensors
from tensorgrade.errors import CheckFailure

# A few operations in float64; the answers are written with all their digits.
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def numbers(*values):
    """A tensor in float64."""
    return torch.tensor(values, dtype=torch.float64)


# r = a * b + tanh(a): places 0 to 4 are a, b, p, q and r.
LEAVES, STEPS = [0.5, 3.0], [("mul", 0, 1), ("tanh", 0), ("add", 2, 3)]


@pytest.mark.task("order")
def test_order_of_the_text(student):
    """For r = a * b + tanh(a) the list holds five nodes, each after its parents, and ends with r."""
    found = student.load("graphs").places_in_order(student.Var, student.order, LEAVES, STEPS, 4)
    names = ["abpqr"[place] if type(place) is int and 0 <= place < 5 else "?" for place in found]
    if sorted(names) != list("abpqr"):
        raise CheckFailure(f"{names}", f"The list holds {', '.join(names)}; it must hold a, b, p, q and r, each once.")
    for child, parents in (("p", "ab"), ("q", "a"), ("r", "pq")):
        if any(names.index(parent) > names.index(child) for parent in parents):
            raise CheckFailure(
                f"{names}", f"The order is {', '.join(names)}: {child} stands before one of its parents."
            )


@pytest.mark.task("backprop")
def test_gradients_of_the_text(student):
    """For r = a * b + tanh(a) the gradient of a is b + 1 - tanh(a)**2, and that of b is a."""
    (found,) = student.load("graphs").gradients(student.Var, student.backprop, LEAVES, STEPS, [4])
    expected = {"r": 1.0, "p": 1.0, "q": 1.0, "b": 0.5, "a": 3.0 + 1 - math.tanh(0.5) ** 2}
    for name, value in expected.items():
        grad = found["abpqr".index(name)]
        if type(grad) not in (int, float) or not abs(grad - value) <= 1e-12:
            raise CheckFailure(
                f"{name}: expected {value}, got {grad!r:.50}", f"The gradient of {name} must be {value:.6g}."
            )


@pytest.mark.task("run_forward")
def test_two_layers(student):
    """Weights (1, 2) and bias 3 turn (1, -4) into -4; relu makes 0 of it, and the next layer adds its bias."""
    params = [(numbers([1.0, 2.0]), numbers(3.0)), (numbers([5.0], [6.0]), numbers(7.0, 8.0))]
    result = student.run_forward(params, ["relu", "identity"], numbers([1.0, -4.0], [1.0, 1.0]))
    if type(result) not in (tuple, list) or len(result) != 2:
        raise CheckFailure("no pair", "End with `return Y, cache`.")
    assert_close(result[0], numbers([7.0, 8.0], [37.0, 44.0]), **EXACT, name="Y")


@pytest.mark.task("criterion")
def test_squares_of_two_rows(student):
    """Rows that miss by (1, 2) and by (0, 1) have the squared distances 5 and 1, so the loss is 3."""
    loss, slope = unpack(student.criterion("sq", numbers([1.0, 2.0], [5.0, 4.0]), numbers([0.0, 0.0], [5.0, 3.0])))
    assert_close(loss, torch.tensor(3.0, dtype=torch.float64), **EXACT, name="the loss")
    assert_close(slope, numbers([1.0, 2.0], [0.0, 1.0]), **EXACT, name="dY")


@pytest.mark.task("criterion")
def test_equal_scores(student):
    """Four equal scores: every class has probability 1/4, so the loss is ln 4."""
    loss, slope = unpack(student.criterion("ce", numbers([2.0] * 4, [0.0] * 4), torch.tensor([3, 0])))
    assert_close(loss, torch.tensor(math.log(4), dtype=torch.float64), **EXACT, name="the loss")
    assert_close(slope, numbers([0.125, 0.125, 0.125, -0.375], [-0.375, 0.125, 0.125, 0.125]), **EXACT, name="dY")


def unpack(result):
    """Loss, as a tensor, and dY."""
    if type(result) not in (tuple, list) or len(result) != 2:
        raise CheckFailure("no pair", "End with `return loss, dY`.")
    loss, slope = result
    return (torch.tensor(float(loss), dtype=torch.float64) if type(loss) in (int, float) else loss), slope


@pytest.mark.task("run_backward")
def test_one_linear_layer(student):
    """One layer without activation: dW of a single row is the product of dY and the input, and db is dY."""
    params, x, along = [(numbers([1.0, 2.0]), numbers(3.0))], numbers([4.0, 5.0]), numbers([10.0])
    (pair,) = student.load("network").gradients(
        student.run_forward, student.run_backward, params, ["identity"], x, along
    )
    weight, bias = unpack_tensors(pair, "dW", "db")
    assert_close(weight, numbers([40.0, 50.0]), **EXACT, name="dW")
    assert_close(bias, numbers(10.0), **EXACT, name="db")


@pytest.mark.task("run_backward")
def test_shapes_of_gradients(student):
    """Each gradient has the shape of what it belongs to, for one row and for several."""
    params = [(torch.ones(4, 3).double(), torch.ones(4).double()), (torch.ones(2, 4).double(), torch.ones(2).double())]
    for rows in (1, 5):
        x, along = torch.ones(rows, 3).double(), torch.ones(rows, 2).double()
        run = student.load("network").gradients
        found = run(student.run_forward, student.run_backward, params, ["tanh", "sigmoid"], x, along)
        if type(found) not in (tuple, list) or len(found) != 2:
            raise CheckFailure("not two pairs", "Return a list with one pair (dW, db) for each layer.")
        for pair, wanted in zip(found, params, strict=True):
            for name, one, of in zip(("dW", "db"), unpack_tensors(pair, "dW", "db"), wanted, strict=True):
                assert_shape(one, of.shape, name=name)


@pytest.mark.task("probe_gradient")
def test_probe_of_a_square(student):
    """Central differences of a square are exact: at (3, -1), x**2 + 5y has the derivatives 6 and 5."""
    idx, g = unpack_tensors(
        student.probe_gradient(lambda point: (point[0] ** 2 + 5 * point[1]).item(), numbers(3.0, -1.0), 0.5), "idx", "g"
    )
    assert_close(idx, torch.tensor([0, 1]), name="idx")
    assert_close(g, numbers(6.0, 5.0), **EXACT, name="g")


@pytest.mark.task("PlainSGD")
def test_two_steps_of_momentum(student):
    """From 1 with gradients 1 and 1, learning rate 0.5 and momentum 0.5: first to 0.5, then to -0.25."""
    gradients = [[numbers(1.0)], [numbers(1.0)]]
    values, _, _ = student.load("descent").walk(
        student.PlainSGD, [numbers(1.0)], gradients, 0.5, {"momentum": 0.5}, False
    )
    assert_close(values[0][0], numbers(0.5), **EXACT, name="the parameter after one step")
    assert_close(values[1][0], numbers(-0.25), **EXACT, name="the parameter after two steps")


@pytest.mark.task("duel")
def test_both_lists_agree(student):
    """Three batches in two epochs: six losses on each side, and the same ones."""
    batches = [(numbers([1.0, 2.0], [0.5, -1.0]), torch.tensor([0, 1])), (numbers([2.0, 0.0]), torch.tensor([1]))] * 2
    hp = {"lr": 0.1, "momentum": 0.5, "decay": 0.01}
    found, _ = student.load("descent").duel(student.duel, (2, 3, 2), batches[:3], hp, 2, 0)
    if type(found) is not dict or set(found) != {"own", "lib"} or [len(found[name]) for name in found] != [6, 6]:
        raise CheckFailure(
            "not two lists of six", 'Return {"own": [...], "lib": [...]}, a number for each of the six steps.'
        )
    assert_close(numbers(*found["own"]), numbers(*found["lib"]), rtol=1e-9, atol=1e-9, name='"own"')


@pytest.mark.task("train")
def test_quarters_of_the_plane(student):
    """A small network learns by heart which of four corners belong together."""
    x, t = numbers([1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]), torch.tensor([0, 1, 1, 0])
    setting = {"hidden": [8], "act": "tanh", "classes": 2, "lr": 0.3, "momentum": 0.9, "decay": 0.0}
    params, acts = student.train(setting | {"epochs": 80, "batch": 2}, x, t, 0)
    if [len(params), list(acts)] != [2, ["tanh", "identity"]]:
        raise CheckFailure(
            f"acts: {acts!r:.100}", 'One hidden layer: two pairs in params, and acts is ["tanh", "identity"].'
        )
    assert_shape(params[0][0], (8, 2), name="W of the first layer")
    hidden = torch.tanh(x @ params[0][0].T + params[0][1])
    if (hidden @ params[1][0].T + params[1][1]).argmax(1).tolist() != t.tolist():
        raise CheckFailure("not learned", "After 80 epochs the four corners are still mixed up. Does the loss fall?")


@pytest.mark.task("search")
def test_better_of_two(student):
    """Of two settings, one right on every validation row and one on none, the first is picked."""
    rows, t = torch.eye(6, dtype=torch.float64), torch.tensor([0, 1, 0, 1, 0, 1])
    right = torch.stack([1.0 - t, t.double()])
    data = dict(zip(("train", "val", "test"), zip(rows.split(2), t.split(2), strict=True), strict=True))
    grid = [{"number": 0}, {"number": 1}]
    found, _ = student.load("experiment").choose(student.search, [1 - right, right], grid, data, 0)
    if found != {"best": {"number": 1}, "val": [0.0, 1.0], "test": 1.0}:
        hint = 'Here "best" is the second setting, "val" is [0.0, 1.0] and "test" is 1.0.'
        raise CheckFailure(f"got {found!r:.200}", hint)
