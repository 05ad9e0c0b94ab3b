"""The room `replies`: gradients, weights, hidden functions and kept results, in the worker and in the notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tensorgrade.errors import CheckFailure, GraderError, NotDefinedError, StudentError, WorkerLost
from tensorgrade.replies.outline import read_outline
from tensorgrade.student import NotebookSession, Student, StudentObject
from tensorgrade.student.session import Session

Open = Callable[..., Session]
Ask = Callable[..., Student]


@pytest.fixture(params=["worker", "notebook"])
def ask(request: pytest.FixtureRequest, open_session: Open) -> Ask:
    """The student fixture of a check, made of one cell: behind the wall, and in the notebook's own process."""

    def begin(cell: str, instructor: dict[str, str] | None = None) -> Student:
        if request.param == "worker":
            session: Any = open_session(cell, instructor=instructor)
        else:
            namespace: dict[str, Any] = {"In": [cell]}
            exec(cell, namespace)
            session = NotebookSession(namespace, instructor)
        session.begin_check(7, 20.0)
        return Student(session, 7)

    return begin


HUGE = "HUGE = 2 ** 8100\nDEEP = 1\nfor _ in range(61):\n    DEEP = [DEEP]\ndef same(x):\n    return x\n"
LINEAR = """
import torch
class Net(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = torch.nn.Linear(3, width)
        self.scale = torch.nn.Parameter(torch.ones(width))
        self.register_buffer("shift", torch.zeros(width))
    def forward(self, x):
        return self.layer(x) * self.scale.detach() + self.shift
"""


def test_gradients_of_inputs(ask: Ask) -> None:
    """The gradient of each floating point input is that of the closed form, and None for the others."""
    student = ask("def f(x, y, n):\n    return (x ** 2 * y) * n")
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    dx, dy, dn = student.gradients(student.f, (x, y, 3), along=torch.tensor([1.0, 10.0]))
    assert torch.equal(dx, torch.tensor([18.0, 480.0]))
    assert torch.equal(dy, torch.tensor([3.0, 120.0]))
    assert dn is None


def test_gradients_of_one_of_several_outputs(ask: Ask) -> None:
    """Without a cotangent the loss is the sum of the first output; None leaves an output out."""
    student = ask("def f(x):\n    return 2 * x, 5 * x")
    x = torch.ones(3)
    assert torch.equal(student.gradients(student.f, (x,))[0], torch.full((3,), 2.0))
    assert torch.equal(student.gradients(student.f, (x,), (None, torch.ones(3)))[0], torch.full((3,), 5.0))


def test_gradients_of_a_detached_function_are_none(ask: Ask) -> None:
    """A result that is cut off from its input has no gradient, which is no error of the student's code."""
    student = ask("def f(x):\n    return x.detach() * 2")
    assert student.gradients(student.f, (torch.ones(3),)) == (None,)


def test_parameter_gradients_after_a_backward_pass(ask: Ask) -> None:
    """Each parameter's gradient is read by name; one that nothing reaches is None; a second pass does not add up."""
    student = ask(LINEAR)
    net = student.Net(2)
    x = torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]])
    for _ in range(2):
        student.gradients(net, (x,), along=torch.tensor([[1.0, 0.0], [1.0, 2.0]]))
        found = student.parameter_gradients(net)
    assert torch.equal(found["layer.weight"], torch.tensor([[1.0, 3.0, 3.0], [0.0, 2.0, 0.0]]))
    assert torch.equal(found["layer.bias"], torch.tensor([2.0, 2.0]))
    assert found["scale"] is None


def test_weights_are_copied_by_name(ask: Ask) -> None:
    """After copying, the module computes with the check's own weights, buffers included."""
    student = ask(LINEAR)
    net = student.Net(2)
    weights = {
        "layer.weight": torch.arange(6.0).reshape(2, 3),
        "layer.bias": torch.tensor([1.0, 2.0]),
        "scale": torch.tensor([1.0, 2.0]),
        "shift": torch.tensor([0.0, 100.0]),
    }
    student.copy_weights(net, weights)
    assert torch.equal(net(torch.ones(1, 3)), torch.tensor([[4.0, 128.0]]))
    assert torch.equal(net.state_dict()["scale"], weights["scale"])


def test_weights_reach_a_layer_with_two_names(ask: Ask) -> None:
    """A layer that is also known by another name is copied by either, and a frozen parameter needs no weight."""
    student = ask(
        LINEAR + "class Twice(Net):\n    def __init__(self):\n        super().__init__(2)\n"
        "        self.again = torch.nn.Sequential(self.layer)\n        self.scale.requires_grad_(False)\n"
    )
    net = student.Twice()
    student.copy_weights(net, {"again.0.weight": torch.ones(2, 3), "layer.bias": torch.zeros(2)})
    assert torch.equal(net(torch.ones(1, 3)), torch.full((1, 2), 3.0))
    student.gradients(net, (torch.ones(1, 3),))
    assert set(student.parameter_gradients(net)) == {"layer.weight", "layer.bias", "again.0.weight", "again.0.bias"}


@pytest.mark.parametrize(
    ("weights", "hint"),
    [
        pytest.param({"scale": (2,), "layer.bias": (2,), "layer.kernel": (2, 3)}, "`layer.kernel`", id="missing"),
        pytest.param({"scale": (2,), "layer.bias": (2,), "layer.weight": (3, 2)}, "another shape", id="shape"),
        pytest.param({"scale": (2,), "layer.bias": (2,)}, "does not name", id="unknown"),
    ],
)
def test_weights_that_do_not_fit_are_refused(ask: Ask, weights: dict[str, tuple[int, ...]], hint: str) -> None:
    """A layer of another name or shape is a failure with a hint, and nothing is copied."""
    student = ask(LINEAR)
    net = student.Net(2)
    with pytest.raises(CheckFailure) as caught:
        student.copy_weights(net, {name: torch.full(shape, 9.0) for name, shape in weights.items()})
    assert hint in str(caught.value.hint)
    assert torch.equal(net.state_dict()["scale"], torch.ones(2))


def test_hidden_functions_are_called_back(ask: Ask) -> None:
    """The student's code calls a function of the check's as if it were its own; only values pass."""
    student = ask(
        "import torch\n"
        "def numerical_gradient(f, x, h=1e-6):\n"
        "    grad = torch.zeros_like(x)\n"
        "    for i in range(x.numel()):\n"
        "        step = torch.zeros_like(x); step.view(-1)[i] = h\n"
        "        grad.view(-1)[i] = (f(x + step) - f(x - step)) / (2 * h)\n"
        "    return grad\n"
    )
    x = torch.randn(2, 3, dtype=torch.float64)
    calls = []

    def cubes(point: torch.Tensor) -> torch.Tensor:
        calls.append(point)
        return (point**3).sum()

    found = student.numerical_gradient(cubes, x)
    assert (found - 3 * x**2).abs().max() < 1e-6
    assert len(calls) == 12


def test_functions_in_nested_arguments_and_results(ask: Ask) -> None:
    """A hidden function may come in a list, return several values, and outlive the call within its check."""
    student = ask("kept = []\ndef take(fs):\n    kept.extend(fs)\ndef use(x):\n    return [f(x, y=2)[0] for f in kept]")
    student.take([lambda x, y: (x + y, None), lambda x, y: (x * y, None)])
    assert student.use(5) == [7, 10]


def test_a_hidden_function_that_raises(ask: Ask) -> None:
    """What a hidden function raises reaches the student's code without its text."""
    student = ask(
        "def run(f):\n    try:\n        return f()\n    except RuntimeError as error:\n        return str(error)"
    )

    def secret() -> None:
        raise ValueError("the label is 3")

    assert student.run(secret) == "the function that the check passed in raised an exception"


def test_a_hidden_function_may_fail_the_check(ask: Ask) -> None:
    """A function that looks at its arguments fails the check even if the student's code swallows the exception."""
    student = ask("def run(f):\n    try:\n        f(1)\n    except Exception:\n        return 'fine'")

    def spy(x: Any) -> None:
        raise CheckFailure(f"called with {x}", "Call it with a float64 tensor.")

    with pytest.raises(CheckFailure, match="called with 1"):
        student.run(spy)
    assert student.run(lambda x: x) is None


def test_a_hidden_function_holds_no_object_of_the_students(ask: Ask) -> None:
    """A function of the grader's that is handed an object cannot be led to run the student's code."""
    student = ask(
        "class C:\n    x = 1\n"
        "def run(f):\n    try:\n        return f(C())\n    except RuntimeError:\n        return 'refused'"
    )
    assert student.run(lambda thing: thing.x) == "refused"
    assert student.run(lambda thing: isinstance(thing, StudentObject)) is True


def test_instructor_code_is_loaded_beside(ask: Ask) -> None:
    """A loaded module runs on the student's side, with the student's objects themselves."""
    training = (
        "import torch\n"
        "def train(make, x, y, steps):\n"
        "    net = make(1)\n"
        "    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)\n"
        "    losses = []\n"
        "    for _ in range(steps):\n"
        "        optimiser.zero_grad()\n"
        "        loss = ((net(x) - y) ** 2).mean()\n"
        "        loss.backward()\n"
        "        optimiser.step()\n"
        "        losses.append(loss.item())\n"
        "    return losses\n"
    )
    student = ask(LINEAR, {"training": training})
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    losses = student.load("training").train(student.Net, x, x.sum(1, keepdim=True), 30)
    assert len(losses) == 30
    assert losses[-1] < 0.1 * losses[0]
    with pytest.raises(GraderError, match=r"no worker/trainer\.py beside the checks\. There: training"):
        student.load("trainer")


def test_dtypes_and_devices_cross(ask: Ask) -> None:
    """A dtype and a device arrive as what they are, in both directions."""
    student = ask(
        "import torch\ndef f(dtype, device):\n    x = torch.ones(2, dtype=dtype, device=device)\n"
        "    return x.dtype, x.device"
    )
    assert student.f(torch.float64, torch.device("cpu")) == (torch.float64, torch.device("cpu"))


def test_seed_makes_a_call_repeatable(ask: Ask) -> None:
    """Seeded with the same number, the student's side draws the same numbers again."""
    student = ask("import torch\ndef draw():\n    return torch.rand(3)")
    first, second = student.draw(), student.draw()
    student.seed(7)
    assert torch.equal(student.draw(), first)
    assert not torch.equal(first, second)


def test_arguments_after_a_call(ask: Ask) -> None:
    """What a function does to its arguments in place is seen; the check's own tensors stay."""
    student = ask("def f(x, items, n):\n    x += 1\n    items.append(n)\ndef g(x):\n    x = x + 1")
    x = torch.zeros(2)
    left, items, n = student.arguments_after(student.f, x, [1], 2)
    assert (left.tolist(), items, n) == ([1.0, 1.0], [1, 2], 2)
    assert student.arguments_after(student.g, x)[0].tolist() == x.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("library", ["random", "numpy", "torch"])
def test_random_state_is_that_of_each_library(ask: Ask, library: str) -> None:
    """A draw from one library's global generator changes its state and no other's; the same seed brings it back."""
    student = ask(
        "import random, numpy, torch\n"
        "draw = {'random': random.random, 'numpy': numpy.random.rand, 'torch': lambda: torch.rand(1)}\n"
        "def f(library):\n    draw[library]()\n"
    )
    student.seed(3)
    before = student.random_state()
    student.f(library)
    after = student.random_state()
    assert {name for name in before if after[name] != before[name]} == {library}
    student.seed(3)
    assert student.random_state() == before


def test_cpu_seconds_count_work_and_no_sleep(ask: Ask) -> None:
    """The CPU time of the student's side grows while it computes, not while it sleeps."""
    student = ask(
        "import time\ndef work(seconds):\n    end = time.process_time() + seconds\n"
        "    while time.process_time() < end:\n        pass\n"
    )
    student.work(0.01)
    begin = student.cpu_seconds()
    student.work(0.2)
    middle = student.cpu_seconds()
    student["time"].sleep(0.2)
    assert middle - begin >= 0.2
    assert student.cpu_seconds() - middle < 0.1


def test_a_name_of_ours_is_reached_by_item(ask: Ask) -> None:
    """A submission may define a function that is called like a method of the fixture."""
    assert ask("def gradients(x):\n    return x + 1")["gradients"](1) == 2


SOURCE = """
import torch
from torch.nn import functional as F
import torch.nn.functional as functional
soft = functional.softmax

def helper(x):
    return soft(x, -1)

@torch.no_grad()
def attend(q, k):  # a comment
    n = len(q)
    return helper(q @ k.transpose(-1, -2)) + F.relu(k).softmax(0) * n
"""


def test_source_and_calls_of_a_function(ask: Ask) -> None:
    """The source is the cell's text, and the calls are followed through aliases and helpers."""
    student = ask(SOURCE)
    assert student.source("attend").startswith("@torch.no_grad()\ndef attend(q, k):  # a comment")
    calls = student.calls("attend")
    assert calls >= {"torch.nn.functional.softmax", "torch.nn.functional.relu", ".softmax", ".transpose", "len"}
    assert not calls & {"helper", "n", "q", "soft"}
    with pytest.raises(NotDefinedError):
        student.calls("attention")


def test_gradient_of_an_output_of_another_shape(ask: Ask) -> None:
    """Where the output does not fit the loss, the hint speaks of the shape and not of an exception."""
    student = ask("def f(x):\n    return x.sum(0)")
    with pytest.raises(CheckFailure, match=r"shapes of output and along differ: \[\[3\], \[2, 3\]\]") as caught:
        student.gradients(student.f, (torch.ones(2, 3),), along=torch.ones(2, 3))
    assert "another shape than the task says" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("cell", "called"),
    [
        pytest.param(
            "class F:\n    def __call__(self, x):\n        return torch.relu(x)\nf = F()", "torch.relu", id="object"
        ),
        pytest.param("import functools\nf = functools.partial(torch.roll, shifts=1)", "torch.roll", id="partial"),
        pytest.param("layer = torch.nn.ReLU()\ndef f(x):\n    return layer(x)", "torch.nn.ReLU", id="layer outside"),
    ],
)
def test_calls_of_what_a_call_made(ask: Ask, cell: str, called: str) -> None:
    """A function may be an object or a `partial`, and may use a layer that was made outside it."""
    assert called in ask(f"import torch\n{cell}").calls("f")


def test_source_is_read_where_no_code_of_the_students_runs(open_session: Open) -> None:
    """What runs cannot change what its source says; a cell that no parser can read is left out."""
    cells = ("def f(x):\n    return x.softmax(0)", "import ast, builtins\nast.parse = None\ndel f", "-" * 200_000 + "1")
    session = open_session(*cells)
    session.begin_check(7)
    assert Student(session).calls("f") == {".softmax"}


COUNTED = {"slow": "import pathlib\ndef compute(make, x):\n    pathlib.Path('ran').touch()\n    return {'w': make(x)}"}
RAN = "import os\ndef make(x):\n    return x * 2\ndef has_run():\n    return os.path.exists('ran')"


def test_kept_results_are_not_computed_again(open_session: Open) -> None:
    """A result kept by an earlier session on the same code is there without a call, and equal."""
    x = torch.randn(3)
    first = open_session(RAN, instructor=COUNTED)
    student = begun(first)
    value = student.kept(student.load("slow").compute, student.make, x)
    assert student.has_run() is True
    again = begun(open_session(RAN, instructor=COUNTED, kept=first.keeper.used))
    assert torch.equal(again.kept(again.load("slow").compute, again.make, x)["w"], value["w"])
    assert again.has_run() is False


@pytest.mark.parametrize(
    ("cell", "instructor", "argument"),
    [
        pytest.param(RAN + "\n# changed", COUNTED, 1.0, id="submission"),
        pytest.param(RAN, {"slow": COUNTED["slow"] + "\n"}, 1.0, id="instructor"),
        pytest.param(RAN, COUNTED, 2.0, id="argument"),
    ],
)
def test_what_decides_a_kept_result_is_in_its_key(
    open_session: Open, cell: str, instructor: dict[str, str], argument: float
) -> None:
    """Another submission, another module of the instructor's or another argument is computed afresh."""
    first = open_session(RAN, instructor=COUNTED)
    student = begun(first)
    student.kept(student.load("slow").compute, student.make, 1.0)
    again = begun(open_session(cell, instructor=instructor, kept=first.keeper.used))
    assert again.kept(again.load("slow").compute, again.make, argument) == {"w": 2 * argument}
    assert again.has_run() is True


def test_only_what_has_a_name_can_decide_a_kept_result(open_session: Open) -> None:
    """An object that another call has made has no name, and one that stays over there cannot be kept."""
    student = begun(open_session("class C:\n    pass\ndef make():\n    return C()\ndef use(c):\n    return 1"))
    with pytest.raises(TypeError, match="Make such objects inside the function that is kept"):
        student.kept(student.use, student.make())
    with pytest.raises(TypeError, match="plain values to keep"):
        student.kept(student.make)


def test_odd_names_of_a_submission_are_no_failure_of_the_platform(ask: Ask) -> None:
    """A list of objects, or a value too deep, where a check expects a class, ends that check only."""
    student = ask(f"{HUGE}MODELS = [object()]\n")
    with pytest.raises(TypeError, match="expected functions and classes"):
        student.kept(student.same, student.MODELS)
    with pytest.raises(ValueError, match="nested more than"):
        student.kept(student.same, [[[student.DEEP]]])


def test_a_kept_result_leaves_the_same_randomness(open_session: Open) -> None:
    """What a check draws after a kept result does not depend on whether the result was computed."""
    cell = "import torch\ndef draw():\n    return torch.rand(3)"
    drawn, kept = [], {}
    for _ in range(2):
        session = open_session(cell, kept=kept)
        student = begun(session)
        student.draw()
        drawn.append(torch.stack([student.kept(student.draw), student.draw()]))
        kept = session.keeper.used
    assert torch.equal(*drawn)


def test_kept_results_of_two_seeds_are_two(ask: Ask) -> None:
    """A check that seeds the student's side itself, to train twice, gets two results."""
    student = ask("import torch\ndef draw():\n    return torch.rand(3)")
    first = student.kept(student.draw)
    student.seed(8)
    assert not torch.equal(student.kept(student.draw), first)


def test_a_function_that_takes_long_for_some_argument_is_stopped(open_session: Open) -> None:
    """What student code makes of a check's function is on its own budget, also where the function catches errors."""
    session = open_session("def run(f, n):\n    return f(n)")
    session.begin_check(0, 0.5)

    def count(n: int) -> int:
        total = 0
        for number in range(n):
            try:
                total += number
            except Exception:
                total = 0
        return total

    assert Student(session).run(count, 3) == 3
    with pytest.raises(WorkerLost, match="the check's function took more than") as caught:
        Student(session).run(count, 10**12)
    assert caught.value.outcome == "TIMED_OUT"
    session.begin_check(1)
    assert Student(session).run(count, 3) == 3


def test_endless_callbacks_end(open_session: Open) -> None:
    """Code that calls a hidden function for ever is stopped by its budget."""
    session = open_session("def run(f):\n    while True:\n        f(1)")
    session.begin_check(7, 0.5)
    with pytest.raises(WorkerLost, match="stopped"):
        Student(session).run(lambda x: x)


def test_a_larger_budget_is_for_one_check(open_session: Open) -> None:
    """A check with a budget of its own may run longer than the limit of the others."""
    session = open_session(
        "import time\ndef burn(seconds):\n    end = time.process_time() + seconds\n"
        "    while time.process_time() < end:\n        pass\n    return seconds"
    )
    session.begin_check(7, 30.0)
    assert Student(session).burn(1.5) == 1.5
    session.begin_check(7, 0.3)
    with pytest.raises(WorkerLost):
        Student(session).burn(1.5)


def begun(session: Session) -> Student:
    """The student fixture of a check that begins now."""
    session.begin_check(7)
    return Student(session, 7)


def test_errors_in_a_module_show_the_students_line(ask: Ask) -> None:
    """What a module's forward pass raises is the student's own error, with its line."""
    student = ask("import torch\nclass Net(torch.nn.Module):\n    def forward(self, x):\n        return x @ x\n")
    with pytest.raises(StudentError, match="RuntimeError"):
        student.gradients(student.Net(), (torch.ones(2, 3),))


@pytest.mark.parametrize("pass_on", [lambda s: s.HUGE * s.HUGE, lambda s: [[[s.DEEP]]]], ids=["int", "nesting"])
def test_values_of_the_students_that_cannot_be_sent_on(ask: Ask, pass_on: Callable[[Any], Any]) -> None:
    """A check that sends on what the student's code made meets an ordinary exception, and goes on."""
    student = ask(HUGE)
    with pytest.raises(ValueError, match="cannot be sent to the student's code"):
        student.same(pass_on(student))
    assert student.same(3) == 3


@pytest.mark.parametrize("function", [lambda x: x * x, lambda x: [[[[x]]]]], ids=["int", "nesting"])
def test_a_hidden_function_whose_value_cannot_be_sent(ask: Ask, function: Callable[[Any], Any]) -> None:
    """Arguments that make a hidden function return too much are told like an exception in it."""
    student = ask(
        f"{HUGE}def run(f):\n    for x in (HUGE, DEEP):\n        try:\n            f(x)\n"
        "        except Exception:\n            return 'refused'\n"
    )
    assert student.run(function) == "refused"
    assert student.same(3) == 3


DEFINED = {
    "in-a-block": "def f(x):\n    return x\nif True:\n    with a:\n        def f(x):\n            return x.softmax(0)",
    "rebound": "def f(x):\n    return x\ndef g(x):\n    return x.softmax(0)\nf = g",
    "wrapped": "def f(x):\n    return x.softmax(0)\nf = torch.compile(f)",
    "lambda": "f = lambda x: x.softmax(0)",
    "timed": "%%time\ndef f(x):\n    return x.softmax(0)",
    "odd-cell": "def f(x):\n    return x.softmax(0)\n\0await =%'''\x0c0xf'{await lambda #,",
}


@pytest.mark.parametrize("cells", DEFINED.values(), ids=DEFINED)
def test_calls_of_what_really_runs(cells: str) -> None:
    """A definition that replaces another one is read wherever it stands; a cell that cannot run hides no other."""
    outline = read_outline(cells.split("\0"))
    assert ".softmax" in outline["f"]["calls"]


def test_source_is_counted_in_pythons_lines() -> None:
    """Characters that only other programs take for line ends do not move the source of a function."""
    outline = read_outline(["# \x0c\u2028\x1c\ndef f(x):\n    return x + 1\n# Nothing.\n# Nothing.\n# Nothing."])
    assert outline["f"]["source"] == "def f(x):\n    return x + 1"
