"""The words for gradients, on functions and modules of this process and of a submission behind the wall."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tensorgrade import checks
from tensorgrade.errors import CheckFailure
from tensorgrade.student import NotebookSession, Student
from tests.conftest import expect, rng

pytestmark = pytest.mark.usefixtures("one_thread")

HERE = checks.ThisProcess()


X = torch.randn(3, 4, generator=rng(1))
LARGE = torch.randn(40, 30, generator=rng(2))
WEIGHT = torch.randn(4, 5, generator=rng(3)).double()
EXPECTED = 2 * X / 100  # of the mean of squares of a batch of 100, say


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        pytest.param(EXPECTED, None, id="right"),
        pytest.param(EXPECTED.double() * (1 + 1e-6), None, id="float64"),
        pytest.param(EXPECTED + 1e-8, None, id="noisy"),
        pytest.param(EXPECTED * 1.001, "gradient", id="slightly"),
        pytest.param(EXPECTED * 2, "gradient", id="twice"),
        pytest.param(EXPECTED * 0, "gradient", id="zero"),
        pytest.param(EXPECTED.T, "shape", id="transposed"),
        pytest.param(EXPECTED.sum(0), "shape", id="summed"),
        pytest.param(EXPECTED.half(), "loses digits", id="half"),
        pytest.param(EXPECTED * math.nan, "NaN", id="nan"),
        pytest.param(None, "detached", id="none"),
        pytest.param(0.5, "torch tensor is expected", id="number"),
    ],
)
def test_same_gradient(actual: Any, words: str | None) -> None:
    """A gradient equals the reference to float32 precision, also where both are small."""
    expect(lambda: checks.assert_same_gradient(actual, EXPECTED), words)


def test_expected_gradient_of_zeros() -> None:
    """Where the reference gradient is 0, rounding passes and nothing else does."""
    checks.assert_same_gradient(torch.full((3,), 1e-9), torch.zeros(3))
    expect(lambda: checks.assert_same_gradient(torch.full((3,), 1e-4), torch.zeros(3)), "3 of 3")


def along_of(out: torch.Tensor) -> torch.Tensor:
    """The gradient of a loss with respect to the output."""
    return torch.randn(out.shape, generator=rng(9), dtype=torch.float64)


def in_float32(x: torch.Tensor) -> torch.Tensor:
    """A function that leaves float64."""
    return (x.float() @ WEIGHT.float()).tanh().double()


def noisy(x: torch.Tensor) -> torch.Tensor:
    """A function with an error of 1e-6 that differs from call to call."""
    return (x @ WEIGHT).tanh() + 1e-6 * torch.randn(3, 5)


FUNCTIONS = {
    "tanh": lambda x: (x @ WEIGHT).tanh(),
    "softmax": lambda x: (x @ WEIGHT).softmax(-1),
    "relu": lambda x: (x @ WEIGHT).relu(),
    "norm": lambda x: (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt(),
    "scalar": lambda x: x.square().mean(),
    "loops": lambda x: torch.stack([sum(row[i] ** 3 for i in range(4)) for row in x]),
    "float32-inside": in_float32,
    "noisy": noisy,
    "large-inputs": lambda x: (1000 * x).square().sum(-1),
}


def true_gradient(function: Callable[..., Any], x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradient by autograd in float32, and the loss it is of."""
    leaf = x.double().requires_grad_()
    out = function(leaf)
    along = along_of(out)
    (out.double() * along).sum().backward()
    return leaf.grad.float(), along


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradient_of_right_functions(name: str) -> None:
    """The gradient by autograd equals finite differences, of functions in float64, float32 and with noise."""
    gradient, along = true_gradient(FUNCTIONS[name], X)
    checks.assert_gradient(gradient, FUNCTIONS[name], X, rng=rng(), along=along)


MISTAKES: dict[str, tuple[Callable[[torch.Tensor], Any], str]] = {
    "twice": (lambda g: 2 * g, "gradient"),
    "sign": (lambda g: -g, "gradient"),
    "one-percent": (lambda g: 1.01 * g, "gradient"),
    "one-element": (lambda g: g + torch.eye(3, 4) * g.abs().max() * torch.tensor([1.0, 0, 0])[:, None], "1 of 12"),
    "transposed": (lambda g: g.T, "shape"),
    "averaged": (lambda g: g.mean(0), "shape"),
    "zero": (lambda g: 0 * g, "gradient"),
    "nan": (lambda g: g * math.nan, "NaN"),
    "one-nan": (lambda g: torch.where(torch.arange(12).reshape(3, 4) == 7, math.nan, g), "1 of 12"),
    "none": (lambda g: None, "detached"),
    "list": (lambda g: g.tolist(), "list"),
    "integer": (lambda g: g.long(), "gradient"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("name", ["tanh", "softmax", "norm", "float32-inside", "noisy"])
def test_wrong_gradients_fail(name: str, mistake: str) -> None:
    """A gradient with a mistake fails, whatever the precision of the function."""
    change, words = MISTAKES[mistake]
    gradient, along = true_gradient(FUNCTIONS[name], X)
    with pytest.raises(CheckFailure) as caught:
        checks.assert_gradient(change(gradient), FUNCTIONS[name], X, rng=rng(), along=along)
    assert words in str(caught.value.hint)


@pytest.mark.parametrize("seed", range(20))
def test_large_inputs_take_random_directions(seed: int) -> None:
    """Of 1,200 elements, a right gradient passes on few calls; one wrong row, or one wrong sign in ten, fails."""
    calls = []

    def function(x: torch.Tensor) -> torch.Tensor:
        calls.append(x)
        return (x @ torch.linspace(-1, 1, 30).double()).relu() * x.logsumexp(-1)

    gradient, along = true_gradient(function, LARGE)
    calls.clear()
    checks.assert_gradient(gradient, function, LARGE, rng=rng(seed), along=along)
    assert len(calls) <= 30
    row, signs = gradient.clone(), gradient.clone()
    row[7] = 0
    signs[:, ::10] *= -1
    for wrong in (row, signs):
        with pytest.raises(CheckFailure):
            checks.assert_gradient(wrong, function, LARGE, rng=rng(seed), along=along)


def test_a_loss_that_does_not_change_shows_nothing() -> None:
    """A constant function, or the plain sum of a softmax, is refused: a gradient of 0 would pass."""
    for function in (lambda x: torch.ones(3), lambda x: x.softmax(-1)):
        expect(lambda f=function: checks.assert_gradient(torch.zeros(3, 4), f, X, rng=rng()), "does not depend")


def test_empty_inputs_have_empty_gradients() -> None:
    """Without elements the shape is all there is."""
    checks.assert_gradient(torch.zeros(0, 4), lambda x: x.sum(), torch.zeros(0, 4), rng=rng())
    expect(lambda: checks.assert_gradient(torch.zeros(4), lambda x: x.sum(), torch.zeros(0, 4), rng=rng()), "shape")


@pytest.mark.parametrize("answer", [None, "x", torch.ones(7), torch.full((3, 5), math.nan), [1.0]])
def test_a_function_that_returns_something_odd(answer: Any) -> None:
    """What the function returns is as suspect as the gradient."""
    with pytest.raises(CheckFailure):
        checks.assert_gradient(torch.ones(3, 4), lambda x: answer, X, rng=rng(), along=torch.ones(3, 5))


# Behind the wall, in the notebook, and here

CELL = """
import torch
from torch import nn

def layer(x, w, b):
    return (x @ w + b).tanh()

def layer_backward(along, x, w, b):
    inner = along * (1 - layer(x, w, b) ** 2)
    return inner @ w.T, x.T @ inner, inner.sum(0)

def backward_without_tanh(along, x, w, b):
    return along @ w.T, x.T @ along, along.sum(0)

def half_detached(x, w, b):
    return (x @ w.detach() + b).tanh() + 0 * w.sum() * 0

def one_way_detached(x, w, b):
    return layer(x, w, b) * x.detach().sum(-1, keepdim=True)

def through_numpy(x, w, b):
    return torch.tensor(layer(x, w, b).detach().numpy()) + b

class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x
    @staticmethod
    def backward(ctx, along):
        (x,) = ctx.saved_tensors
        return along * x  # the 2 is missing

def wrong_square(x):
    return Square.apply(x)

def pair(x, w, b):
    return layer(x, w, b), None

def labels(x, w, b):
    return layer(x, w, b).argmax(-1)

class Net(nn.Module):
    def __init__(self, shared=False, wrong=False, dead=False):
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 6)
        self.last = self.second if shared else nn.Linear(6, 6)
        self.wrong, self.dead = wrong, dead
    def forward(self, x):
        h = self.norm(self.first(x).tanh())
        s = self.second(h)
        h = h + (s.detach() + 0 * s if self.wrong else s) * (0 if self.dead else 1)
        return self.last(h.tanh())

class Unused(Net):
    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(2, 2)

class Frozen(Net):
    def __init__(self):
        super().__init__()
        self.first.requires_grad_(False)

class Nothing(nn.Module):
    def forward(self, x):
        return x

class Bad(Net):
    def forward(self, x):
        return super().forward(x) + (0 * self.first.bias.sum() * float('nan'))

class Flat(nn.Module):
    def __init__(self):
        super().__init__()
        self.keys = nn.Linear(4, 3)
    def forward(self, x):
        return self.keys(x).softmax(0)  # the bias has no effect
"""


@pytest.fixture(params=["worker", "notebook", "here"])
def student(request: pytest.FixtureRequest) -> Any:
    """The same code as a submission behind the wall, in the notebook, and in this process."""
    if request.param == "worker":
        session = request.getfixturevalue("open_session")(CELL)
        session.begin_check(7, 20.0)
        return Student(session, 7)
    names: dict[str, Any] = {"In": [CELL]}
    exec(CELL, names)
    if request.param == "notebook":
        notebook = NotebookSession(names)
        notebook.begin_check(7)
        return Student(notebook, 7)
    return type("Here", (checks.ThisProcess,), {name: staticmethod(value) for name, value in names.items()})()


def drawn() -> tuple[torch.Tensor, ...]:
    """Inputs of the layer: (3, 4), (4, 5) and (5,), float32."""
    return tuple(torch.randn(*shape, generator=rng(5)) for shape in ((3, 4), (4, 5), (5,)))


@pytest.mark.parametrize(("backward", "words"), [("layer_backward", None), ("backward_without_tanh", "gradient")])
def test_backward_functions_of_students(student: Any, backward: str, words: str | None) -> None:
    """The gradients that a student's own backward function returns are the derivatives of the forward function."""
    inputs = drawn()
    along = torch.randn(3, 5, generator=rng(6))
    found = checks.unpack_tensors(getattr(student, backward)(along, *inputs), "dx", "dw", "db")
    for index, gradient in enumerate(found):

        def forward(value: torch.Tensor, index: int = index) -> Any:
            return student.layer(*(value if i == index else x.double() for i, x in enumerate(inputs)))

        def check(gradient: Any = gradient, forward: Any = forward, index: int = index) -> None:
            checks.assert_gradient(gradient, forward, inputs[index], rng=rng(), along=along)

        expect(check, words)


@pytest.mark.parametrize(
    ("name", "count", "words"),
    [
        ("layer", 3, None),
        ("pair", 3, None),
        ("half_detached", 3, "argument 2"),
        ("one_way_detached", 3, "argument 1"),
        ("through_numpy", 3, "detached"),
        ("wrong_square", 1, "argument 1"),
        ("labels", 3, "whole numbers"),
    ],
)
def test_input_gradients(student: Any, name: str, count: int, words: str | None) -> None:
    """Autograd through a function is compared with its differences, so that a half detached way is found."""
    function = getattr(student, name)
    expect(lambda: checks.assert_input_gradients(student, function, drawn()[:count], rng=rng()), words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("layer", None),
        ("pair", None),
        ("one_way_detached", None),  # something arrives
        ("half_detached", "argument 2 is 0 everywhere"),
        ("through_numpy", "no gradient of argument 1"),
        ("labels", "whole numbers"),
    ],
)
def test_has_gradient(student: Any, name: str, words: str | None) -> None:
    """A gradient that does not arrive, or is 0 everywhere, fails."""
    expect(lambda: checks.assert_has_gradient(student, getattr(student, name), drawn(), rng=rng()), words)


def test_the_loss_is_not_a_plain_sum() -> None:
    """A centred result has a gradient, though its sum has none."""
    checks.assert_has_gradient(HERE, lambda x: x - x.mean(-1, keepdim=True), X, rng=rng())


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("Net", {}, None),
        ("Net", {"shared": True}, None),
        ("Frozen", {}, None),
        ("Flat", {}, None),
        ("Net", {"wrong": True}, "gradient of second.weight"),
        ("Unused", {}, "no gradient of a parameter"),
        ("Nothing", {}, "no parameter that learns"),
        ("Bad", {}, "NaN"),
    ],
)
def test_parameter_gradients(student: Any, name: str, options: dict[str, bool], words: str | None) -> None:
    """The gradient of each parameter is the derivative by it, also of shared and frozen ones."""
    module = getattr(student, name)(**options)
    known = ("second.weight",) if name == "Net" else ()
    x = torch.randn(3, 4, generator=rng(5))
    expect(lambda: checks.assert_parameter_gradients(student, module, x, rng=rng(), names=known), words)


@pytest.mark.parametrize(
    ("name", "options", "names", "words"),
    [
        ("Net", {}, ("first.weight", "last.bias"), None),
        ("Net", {"shared": True}, (), None),
        ("Frozen", {}, (), None),
        ("Net", {"wrong": True}, ("second.bias",), "gradient of second.bias is 0"),
        ("Net", {"wrong": True}, (), "gradient of a parameter is 0"),
        ("Net", {"dead": True}, (), "is 0 everywhere"),
        ("Unused", {}, (), "nothing arrives"),
        ("Frozen", {}, ("first.weight",), "does not train"),
        ("Net", {}, ("third.weight",), "`third.weight`"),
        ("Nothing", {}, (), "no parameter that learns"),
        ("Bad", {}, (), "NaN"),
    ],
)
def test_parameters_have_gradients(
    student: Any, name: str, options: dict[str, bool], names: tuple[str, ...], words: str | None
) -> None:
    """Every parameter that learns receives a gradient that is finite and not 0; hints name only known ones."""
    module = getattr(student, name)(**options)
    x = torch.randn(3, 4, generator=rng(5))
    expect(lambda: checks.assert_parameters_have_gradients(student, module, x, rng=rng(), names=names), words)


class Forged(checks.ThisProcess):
    """A side that answers with whatever it likes."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def gradients(self, function: Any, inputs: tuple[Any, ...], along: Any = None) -> Any:  # noqa: D102
        return (self.answer,) * len(inputs)

    def parameter_gradients(self, module: Any) -> Any:  # noqa: D102
        return dict.fromkeys(("0.weight", 3, b"x"), self.answer)


@pytest.mark.parametrize(
    "answer", [None, "x", 1.0, [], torch.full((2,), math.nan), torch.zeros(4, 3, dtype=torch.complex64), object()]
)
def test_forged_gradients_fail(answer: Any) -> None:
    """Whatever comes back in place of gradients ends in a CheckFailure."""
    net = torch.nn.Sequential(torch.nn.Linear(4, 3)).double()
    x, side = X.double(), Forged(answer)
    for check in (
        checks.assert_input_gradients,
        checks.assert_has_gradient,
        checks.assert_parameter_gradients,
        checks.assert_parameters_have_gradients,
    ):
        with pytest.raises(CheckFailure):
            check(side, net, x, rng=rng())
    with pytest.raises(CheckFailure):
        checks.assert_overfits(side, net, x, torch.arange(3))


def test_a_gradient_of_another_shape_is_none() -> None:
    """The gradient of an input has the shape of that input."""
    expect(lambda: checks.assert_has_gradient(Forged(torch.ones(2)), lambda x: x, X, rng=rng()), "shape")


@pytest.mark.parametrize("state", [None, [], {}, {"weight": 1}, {"weight": torch.ones(3, 4, dtype=torch.int64)}])
def test_forged_weights_fail(state: Any) -> None:
    """A module that hides its weights fails, and nothing else happens."""
    net = torch.nn.Linear(4, 3).double()
    net.state_dict = lambda: state  # type: ignore[method-assign, assignment]
    with pytest.raises(CheckFailure):
        checks.assert_parameter_gradients(HERE, net, X, rng=rng())
    with pytest.raises(CheckFailure):
        checks.assert_overfits(HERE, net, X.double(), torch.arange(3))


def test_parameters_without_effect_may_have_no_gradient() -> None:
    """A gradient that is 0 by mathematics is allowed by name; it must be there and finite all the same."""
    names: dict[str, Any] = {}
    exec(CELL, names)
    net = names["Net"](dead=True)
    x = torch.randn(3, 4, generator=rng(5))
    without = {"second.weight", "second.bias"}
    checks.assert_parameters_have_gradients(HERE, net, x, rng=rng(), no_effect=without)


def test_weights_are_as_before() -> None:
    """After finite differences by the parameters the module computes what it computed before."""
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh()).double()
    before = net(X.double())
    checks.assert_parameter_gradients(HERE, net, X, rng=rng())
    assert torch.equal(net(X.double()), before)
