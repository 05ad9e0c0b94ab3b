"""The rooms `worker` and `student`: a submission's code as the grader meets it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tensorgrade.errors import NotDefinedError, StudentError, WorkerLost
from tensorgrade.student import Student, StudentObject
from tensorgrade.student.session import Session
from tests.conftest import QUICK

Open = Callable[..., Session]

NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self, width, bias=True):
        super().__init__()
        self.layer = torch.nn.Linear(3, width, bias=bias)
        self.drop = torch.nn.Dropout(0.5)
        self.history = [("width", width)]
    def forward(self, x):
        return self.drop(self.layer(x))
"""


def names(session: Session) -> Any:
    """The student fixture of a check that begins now."""
    session.begin_check(7)
    return Student(session)


def texts(session: Session, position: int) -> list[str]:
    """What a cell's outputs say, one string each."""
    outputs = session.outputs[position]
    return [str(o.get("text") or o.get("evalue") or o["data"]["text/plain"]) for o in outputs]


def test_functions_take_and_return_nested_values(open_session: Open) -> None:
    """Positional, keyword and nested arguments arrive, and nested results come back."""
    student = names(open_session("def f(a, *, b=None):\n    return {'a': a, 'b': [b, (a, None)]}"))
    a = torch.tensor([[True, False]])
    back = student.f(a, b={"k": (1, 2.5, "x")})
    assert torch.equal(back["a"], a)
    assert back["b"][0] == {"k": (1, 2.5, "x")}
    assert isinstance(back["b"][1], tuple)


@pytest.mark.parametrize("dtype", ["bool", "int64", "bfloat16", "float64", "complex64"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)], ids=str)
def test_tensors_arrive_as_they_are(open_session: Open, dtype: str, shape: tuple[int, ...]) -> None:
    """The student's code sees the dtype, the shape and the values that the check sent."""
    student = names(open_session("def same(x):\n    return x.clone(), str(x.dtype), list(x.shape)"))
    sent = torch.ones(shape).to(getattr(torch, dtype))
    back, seen_dtype, seen_shape = student.same(sent)
    assert (back.dtype, seen_dtype) == (sent.dtype, f"torch.{dtype}")
    assert tuple(seen_shape) == tuple(back.shape) == shape
    assert torch.equal(back, sent)


def test_numpy_stays_numpy(open_session: Open) -> None:
    """An array is not turned into a tensor on either side."""
    student = names(open_session("def f(x):\n    return x * 2, type(x).__name__"))
    back, kind = student.f(np.arange(3))
    assert kind == "ndarray"
    assert isinstance(back, np.ndarray)
    assert back.tolist() == [0, 2, 4]


def test_classes_and_instances_are_handles(open_session: Open) -> None:
    """A class is called, its instance is called, asked for attributes and set to a mode."""
    student = names(open_session(NET))
    net = student.Net(5, bias=False)
    assert isinstance(net, StudentObject)
    assert repr(net) == "<an object of the student's>"
    assert net.layer.weight.shape == (5, 3)
    assert net.history == [("width", 5)]
    net.eval()
    assert net.training is False
    assert torch.equal(net(torch.ones(2, 3)), net(torch.ones(2, 3)))
    net.train()
    assert list(net.state_dict()) == ["layer.weight"]
    assert [tuple(p.shape) for p in net.parameters()] == [(5, 3)]


def test_an_instance_can_be_passed_back(open_session: Open) -> None:
    """A handle given as an argument, also inside a container, is the object again."""
    student = names(open_session(NET + "def width(nets):\n    return nets['n'][0].layer.out_features"))
    assert student.width({"n": [student.Net(6)]}) == 6


def test_plain_names_are_values(open_session: Open) -> None:
    """A number or tensor that a cell assigns can be read by its name."""
    student = names(open_session("import torch\nRATE = 0.1\nW = torch.eye(2)\nDTYPE = torch.float64"))
    assert student.RATE == 0.1
    assert torch.equal(student.W, torch.eye(2))
    assert student.DTYPE is torch.float64


def test_lines_are_counted_from_the_top_of_the_cell(open_session: Open) -> None:
    """A cell that begins with empty lines, which IPython drops, has its lines where the student sees them."""
    session = open_session("\n  \ndef f(x):\n    return x.nothing")
    session.begin_check(7)
    with pytest.raises(StudentError) as caught:
        Student(session).f(1)
    assert [(frame.line, frame.text) for frame in caught.value.frames] == [(4, "return x.nothing")]


def test_exceptions_carry_the_students_own_lines(open_session: Open) -> None:
    """An exception names its type and the student's cells and lines, and no line of ours."""
    session = open_session("def inner(x):\n    y = 1\n    return x.nope", "def outer(x):\n    return inner(x)")
    with pytest.raises(StudentError) as caught:
        names(session).outer(3)
    error = caught.value
    assert (error.type_name, error.message) == ("AttributeError", "'int' object has no attribute 'nope'")
    lines = [(frame.cell, frame.line, frame.text) for frame in error.frames]
    assert lines == [(2, 2, "return inner(x)"), (1, 3, "return x.nope")]


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "MemoryError"])
def test_exceptions_that_end_programs_are_ordinary_here(open_session: Open, kind: str) -> None:
    """Raising an exception meant to end a program ends the call only."""
    student = names(open_session(f"def f():\n    raise {kind}"))
    with pytest.raises(StudentError, match=kind):
        student.f()
    with pytest.raises(StudentError, match=kind):
        student.f()


def test_missing_names_are_said_to_be_missing(open_session: Open) -> None:
    """A name that no cell defines is a `NotDefinedError`; a builtin does not stand in for it."""
    for name in ("attend", "print"):
        with pytest.raises(NotDefinedError, match=name):
            getattr(names(open_session("x = 1")), name)


def test_an_error_in_one_cell_does_not_stop_the_next(open_session: Open) -> None:
    """Syntax errors and exceptions are outputs; the cells after them run."""
    session = open_session("def f(:", "1 / 0", "def g():\n    return 5")
    assert [session.outputs[position][0]["ename"] for position in (0, 1)] == [
        "SyntaxError",
        "ZeroDivisionError",
    ]
    assert names(session).g() == 5


def test_first_optimiser_imports_nothing(open_session: Open) -> None:
    """What the first optimiser of a process imports, for a second, the template has imported for all workers."""
    cell = (
        "import sys, torch\nbefore = set(sys.modules)\nweight = torch.ones(1, requires_grad=True)\n"
        "weight.backward()\ntorch.optim.Adam([weight]).step()\nnew = sorted(set(sys.modules) - before)"
    )
    assert len(Student(open_session(cell)).new) < 10


def test_cells_run_in_a_real_shell(open_session: Open) -> None:
    """Magics, display, last values, both streams and inline figures become nbformat outputs."""
    session = open_session(
        "%matplotlib inline\nimport sys\nfrom matplotlib import pyplot as p",
        "print('out'); print('err', file=sys.stderr)",
        "%%capture kept\nprint('hidden')",
        "from IPython.display import HTML, display\ndisplay(HTML('<b>bold</b>'))\nkept.stdout",
        "p.plot([1, 2]); p.title('t');",
        "!echo shell",
        "%time total = sum(range(10))",
    )
    assert texts(session, 1) == ["out\n", "err\n"]
    assert session.outputs[2] == []
    shown, result = session.outputs[3]
    assert shown["data"]["text/html"] == "<b>bold</b>"
    assert (result["output_type"], result["execution_count"]) == ("execute_result", 4)
    assert result["data"]["text/plain"] == "'hidden\\n'"
    (figure,) = session.outputs[4]
    assert figure["output_type"] == "display_data"
    assert figure["data"]["image/png"].startswith("iVBORw0KGgo")
    assert texts(session, 5) == ["shell\r\n"]
    assert "Wall time" in texts(session, 6)[0]


def test_output_floods_are_cut_loudly(open_session: Open) -> None:
    """Endless printing is cut at the limit and says how much was left out."""
    session = open_session("for _ in range(3):\n    print('x' * 1_000_000)")
    kept, note = texts(session, 0)
    assert len(kept) == 256 * 1024
    assert "bytes left out" in note


ORDINARY = {
    "half-an-emoji": "print('\\ud83d')\nOK = 1",
    "writes-over-a-file": "open('model.txt', 'w').write('new')\nOK = open('model.txt').read() == 'new'",
    "writefile-then-import": "%%writefile made_here.py\nOK = 1",
    "checks-of-ours": "from tensorgrade.checks import assert_close\nOK = 1",
    "encoding-of-stdout": "import sys\nOK = sys.stdout.encoding == 'utf-8'",
    "subprocess-to-stdout": "import subprocess, sys\nOK = subprocess.run(['true'], stdout=sys.stdout).returncode == 0",
    "reconfigure": "import sys\nsys.stdout.reconfigure(line_buffering=True)\nOK = 1",
    "interop-threads": "import torch\ntorch.set_num_interop_threads(2)\nOK = 1",
    "compile": "import torch\nf = torch.compile(lambda x: x + 1)\nOK = f(torch.ones(1)).item() == 2",
    "top-level-await": "import asyncio\nawait asyncio.sleep(0)\nOK = 1",
    "warnings": "import warnings\nwarnings.warn('careful')\nOK = 1",
    "data-loader": "import torch\nOK = len(list(torch.utils.data.DataLoader(range(4), num_workers=2))) == 4",
}


@pytest.mark.parametrize("source", ORDINARY.values(), ids=ORDINARY)
def test_what_students_ordinarily_do_works(open_session: Open, source: str) -> None:
    """Harmless habits neither fail nor lose the worker."""
    session = open_session(
        source, "if 'OK' not in globals():\n    from made_here import OK", files={"model.txt": b"old"}
    )
    assert [output for output in session.outputs[0] if output["output_type"] == "error"] == []
    assert names(session).OK


def test_check_is_a_stand_in_while_grading(open_session: Open) -> None:
    """The student's own `check(...)` calls neither fail nor show anything here."""
    session = open_session("from tensorgrade import check\ncheck('attend')")
    assert session.outputs[0] == []


def test_lost_worker_costs_one_check(open_session: Open) -> None:
    """After a check that killed the worker, the next check meets the same code in a fresh one."""
    session = open_session("import os\ncount = 0\ndef die():\n    os._exit(1)\ndef fine():\n    return 'fine'")
    student = names(session)
    with pytest.raises(WorkerLost, match="exit status 1"):
        student.die()
    with pytest.raises(WorkerLost, match="earlier in this check"):
        student.fine()
    assert names(session).fine() == "fine"


def test_cells_that_hang_or_exit_are_skipped_in_the_fresh_worker(open_session: Open) -> None:
    """A cell that takes its worker down is left out; the cells around it run."""
    session = open_session("a = 1", "while True: pass", "import os; os._exit(0)", "def f():\n    return a")
    assert {position: loss.outcome for position, loss in session.lost.items()} == {
        1: "TIMED_OUT",
        2: "EXITED",
    }
    assert names(session).f() == 1
    assert sorted(session.outputs) == [0, 3]


def test_a_notebook_full_of_endless_cells_is_given_up(open_session: Open) -> None:
    """After three lost cells no further cell is tried, so that one student cannot stop a class."""
    before, after = "def before():\n    return 1", "def after():\n    return 1"
    session = open_session(before, *["import os; os._exit(0)"] * 10, after)
    assert sorted(session.lost) == [1, 2, 3]
    assert names(session).before() == 1
    with pytest.raises(NotDefinedError):
        _ = names(session).after


def test_randomness_is_the_same_for_every_check(open_session: Open) -> None:
    """Python, NumPy and torch give the same numbers whenever a check begins."""
    imports = "import random, torch, numpy as np\n"
    source = imports + "def f():\n    return random.random(), np.random.rand(), torch.rand(2)"
    session = open_session(source)
    first, second = names(session).f(), names(session).f()
    assert first[:2] == second[:2]
    assert torch.equal(first[2], second[2])


def test_lying_objects_arrive_as_what_they_hold(open_session: Open) -> None:
    """A tensor subclass loses its overrides; an object that equals everything is only a handle."""
    source = """
import torch
class Sly(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return True
    def __eq__(self, other):
        return True
class Yes:
    def __eq__(self, other): return True
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
def sly():
    return torch.zeros(2).as_subclass(Sly)
def yes():
    return Yes()
"""
    student = names(open_session(source))
    assert type(student.sly()) is torch.Tensor
    assert torch.equal(student.sly(), torch.zeros(2))
    yes = student.yes()
    assert isinstance(yes, StudentObject)
    assert yes != torch.zeros(2)


def test_objects_of_a_lost_worker_are_not_mistaken(open_session: Open) -> None:
    """A handle from before a loss names nothing in the fresh worker."""
    session = open_session("import os\ndef f():\n    return 1\ndef die():\n    os._exit(0)")
    before = names(session).f
    with pytest.raises(WorkerLost):
        names(session).die()
    names(session)
    with pytest.raises(StudentError, match="KeyError"):
        before()


def test_values_that_cannot_be_sent_are_the_students_error(open_session: Open) -> None:
    """Results that are too large or nested too deeply are errors of the call, not of the platform."""
    source = "import torch\ndef big():\n    return torch.zeros(4_000_000)\ndef deep():\n    x = []\n"
    student = names(open_session(source + "    for _ in range(100): x = [x]\n    return x\ndef g():\n    return 1"))
    with pytest.raises(StudentError, match="larger than 8 MiB"):
        student.big()
    with pytest.raises(StudentError, match="levels deep"):
        student.deep()
    assert student.g() == 1


def test_forged_outputs_do_not_pile_up(open_session: Open) -> None:
    """A worker that forges the largest outputs for every cell is lost before they fill the grader's memory."""
    forge = (
        "import tensorgrade.worker.session as session\n"
        "shown = [{'output_type': 'stream', 'name': 'stdout', 'text': 'x' * 7_000_000}]\n"
        "session._Session._run = lambda *_: (True, shown)"
    )
    session = open_session(forge, *["1"] * 20)
    kept = sum(len(output["text"]) for outputs in session.outputs.values() for output in outputs)
    assert kept < 2 * QUICK.message_bytes
    assert {loss.outcome for loss in session.lost.values()} == {"BAD_REPLY"}
