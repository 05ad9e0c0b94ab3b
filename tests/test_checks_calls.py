"""The room `checks`: what a submission calls, read and watched, and what staff should look at."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tensorgrade.checks import assert_called, assert_not_called
from tensorgrade.errors import CheckFailure, NotDefinedError, StaffAdvice
from tensorgrade.student import NotebookSession, Student
from tensorgrade.student.session import Session

FORBIDDEN = ("torch.nn.functional.conv*", "torch.nn.Conv*", "torch.conv*")
X = torch.ones(1, 1, 4, 4)
IMPORTS = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"


@pytest.fixture(params=["worker", "notebook"])
def ask(request: pytest.FixtureRequest, open_session: Callable[..., Session]) -> Callable[[str], Student]:
    """The student fixture of a check, made of one cell: behind the wall, and in the notebook's own process."""

    def begin(cell: str) -> Student:
        cell = IMPORTS + cell
        if request.param == "worker":
            session: Any = open_session(cell)
        else:
            namespace: dict[str, Any] = {"In": [cell]}
            exec(cell, namespace)
            session = NotebookSession(namespace)
        session.begin_check(7, 20.0)
        return Student(session, 7)

    return begin


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("def conv(x):\n    return F.conv2d(x, x)", id="plain"),
        pytest.param("from torch.nn.functional import conv2d as mine\ndef conv(x):\n    return mine(x, x)", id="alias"),
        pytest.param("def help(x):\n    return F.conv2d(x, x)\ndef conv(x):\n    return help(x)", id="helper"),
        pytest.param("layer = nn.Conv2d\ndef conv(x):\n    return layer(1, 1, 2)(x)", id="class"),
        pytest.param("f = F.conv2d\ndef conv(x):\n    return f(x, x)", id="assigned"),
    ],
)
def test_forbidden_call_is_read(ask: Callable[[str], Student], cell: str) -> None:
    """A forbidden function is found under any name, without a call; the hint names it."""
    with pytest.raises(CheckFailure, match="which is forbidden") as caught:
        assert_not_called(ask(cell), "conv", FORBIDDEN)
    assert "This task asks you to write that yourself." in str(caught.value.hint)


HIDDEN_CALL = "def conv(x):\n    return getattr(F, 'con' + 'v2d')(x, x)"


def test_forbidden_call_is_watched(ask: Callable[[str], Student]) -> None:
    """What no reader finds is found when it runs."""
    with pytest.raises(CheckFailure, match=r"torch\.nn\.functional\.conv2d"):
        assert_not_called(ask(HIDDEN_CALL), "conv", FORBIDDEN, inputs=(X,))


def test_layer_is_watched(ask: Callable[[str], Student]) -> None:
    """An instance of the student's class may be watched in place of the class."""
    student = ask(
        "class Layer(nn.Module):\n    def forward(self, x):\n        return getattr(torch, 'conv' + '2d')(x, x)"
    )
    with pytest.raises(CheckFailure, match="conv2d"):
        assert_not_called(student, "Layer", FORBIDDEN, inputs=(X,), function=student.Layer())


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        pytest.param(HIDDEN_CALL, "conv: uses getattr, which can call anything", id="indirect"),
        pytest.param(
            "def conv(x):\n    return torch.ops.aten.conv2d(x, x)", "uses torch.ops.aten.conv2d", id="operator"
        ),
        pytest.param(
            "def conv(x):\n    return x.conv2d(x)", r"conv: calls the method \.conv2d of something", id="method"
        ),
    ],
)
def test_what_cannot_be_decided_is_advice(ask: Callable[[str], Student], cell: str, advice: str) -> None:
    """Where reading is not enough the check passes, and staff are told."""
    forbidden = (*FORBIDDEN, "torch.Tensor.conv2d")
    with pytest.warns(StaffAdvice, match=advice):
        assert_not_called(ask(cell), "conv", forbidden)


def test_own_work_passes_without_advice(ask: Callable[[str], Student]) -> None:
    """A function that does the work itself is neither failed nor suspected, also if it has a forbidden name."""
    student = ask("def conv2d(x):\n    return (x * x).sum()\ndef conv(x):\n    return conv2d(x)")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_not_called(student, "conv", FORBIDDEN, inputs=(X,))


def test_demanded_call(ask: Callable[[str], Student]) -> None:
    """What a task demands is found by its name, as a method and when it runs; a submission without it fails."""
    for cell in (
        "def f(x):\n    return torch.einsum('abcd->ab', x)",
        "def f(x):\n    return x.einsum()",
        "def f(x):\n    return getattr(torch, 'ein' + 'sum')('abcd->ab', x)",
    ):
        inputs = (X,) if "ein'" in cell else None
        assert_called(ask(cell), "f", "torch.*einsum", inputs=inputs)
    with pytest.raises(CheckFailure, match=r"does not call torch\.\*einsum"):
        assert_called(ask("def f(x):\n    return x.sum((2, 3))"), "f", "torch.*einsum", inputs=(X,))
    with pytest.warns(StaffAdvice, match="is not named, but getattr can call anything"):
        assert_called(ask("def f(x):\n    return getattr(x, 's' + 'um')()"), "f", "torch.einsum")


def test_function_by_another_name_is_watched(ask: Callable[[str], Student]) -> None:
    """A name that is bound to a function from elsewhere has no definition to read; what it runs is found."""
    student = ask("conv = [F.conv2d][0]")
    with pytest.raises(CheckFailure, match=r"torch\.nn\.functional\.conv2d"):
        assert_not_called(student, "conv", FORBIDDEN, inputs=(X, X))
    with pytest.raises(NotDefinedError):
        assert_not_called(student, "conv", FORBIDDEN)


@pytest.mark.parametrize("inputs", [None, (X,)], ids=["read", "watched"])
def test_function_that_is_missing(ask: Callable[[str], Student], inputs: tuple[Any, ...] | None) -> None:
    """A function that the notebook does not define is told as such."""
    with pytest.raises(NotDefinedError):
        assert_not_called(ask("x = 1"), "conv", FORBIDDEN, inputs=inputs)
