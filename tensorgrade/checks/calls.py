"""What a submission calls: functions that a task forbids, and those that it demands.

Reading finds what is named in the text, also through imports, aliases and the notebook's own helpers; watching a call
finds what torch really runs. Both are asked of the student's side. What neither can decide is advice for staff, given
as a warning of the class `StaffAdvice`, which the report shows: it costs no points.
"""

from __future__ import annotations

import fnmatch
import warnings
from collections.abc import Iterable
from typing import Any, Protocol

from tensorgrade.errors import CheckFailure, NotDefinedError, StaffAdvice

# What can call anything without naming it.
INDIRECT = (
    "getattr",
    "eval",
    "exec",
    "compile",
    "__import__",
    "globals",
    "vars",
    "importlib.*",
    "torch._C.*",
    "torch.ops.*",  # operators by the names that they have below torch's functions
    "*.__dict__",
)


class Calls(Protocol):
    """Who can be asked what a submission calls; the fixture ``student`` can."""

    def calls(self, name: str) -> frozenset[str]:
        """Dotted names that a function calls or passes on, as they are read in the notebook."""

    def torch_calls(self, function: Any, *inputs: Any) -> frozenset[str]:
        """Dotted names of the functions of torch that a call runs."""


def assert_not_called(
    student: Calls, name: str, forbidden: Iterable[str], *, inputs: tuple[Any, ...] | None = None, function: Any = None
) -> None:
    """Check that a function or class does its work without what the task forbids.

    Args:
        student: the fixture.
        name: of a function or class of the notebook.
        forbidden: dotted names such as ``torch.nn.functional.conv2d``; ``*`` stands for any part
            (``torch.nn.Conv*``). A method is found by the last part: ``x.unfold`` by ``torch.Tensor.unfold``.
        inputs: arguments to call it with and watch; None to read only.
        function: what to call instead of the one of that name, such as an instance of the class.

    Raises:
        CheckFailure: it is called. The hint names what is forbidden and was found.
        NotDefinedError: the notebook has no such name; without inputs, also where no cell defines it.

    Warns:
        StaffAdvice: a method of that name is called on something unknown, or something is called without being
            named, so that staff should look.

    Source: what torch runs is seen by torch.overrides.TorchFunctionMode.
    """
    patterns = tuple(forbidden)
    named, run = _named(student, name, is_watched=inputs is not None), _run(student, name, inputs, function)
    found = sorted(_matching({one for one in named if not one.startswith(".")} | run, patterns))
    if found:
        used = ", ".join(found[:3])
        hint = f"{name} uses {used}. This task asks you to write that yourself."
        raise CheckFailure(f"{name}: calls {used}, which is forbidden", hint)
    methods = {pattern.rpartition(".")[2] for pattern in patterns}
    unknown = sorted(one for one in named if one.startswith(".") and _matches(one[1:], methods))
    indirect = sorted(_matching(named, INDIRECT))
    if inputs is None and unknown:
        _advise(f"{name}: calls the method {', '.join(unknown)} of something unknown; is it what the task forbids?")
    if indirect:
        _advise(f"{name}: uses {', '.join(indirect)}, which can call anything without naming it")


def assert_called(
    student: Calls, name: str, demanded: str, *, inputs: tuple[Any, ...] | None = None, function: Any = None
) -> None:
    """Check that a function or class uses what the task demands.

    Args:
        student: the fixture.
        name: of a function or class of the notebook.
        demanded: a dotted name of a library's, with ``*`` for any part. A method is found by the last part.
        inputs: arguments to call it with and watch; None to read only.
        function: what to call instead of the one of that name.

    Raises:
        CheckFailure: it is not called.
        NotDefinedError: the notebook has no such name; without inputs, also where no cell defines it.

    Warns:
        StaffAdvice: nothing names it, but something is called without being named.
    """
    named, run = _named(student, name, is_watched=inputs is not None), _run(student, name, inputs, function)
    if _matching(named | run, (demanded, f".{demanded.rpartition('.')[2]}")):
        return
    if indirect := sorted(_matching(named, INDIRECT)):
        _advise(f"{name}: {demanded} is not named, but {', '.join(indirect)} can call anything")
        return
    raise CheckFailure(f"{name}: does not call {demanded}", f"{name} does not use {demanded}, as this task asks.")


def _named(student: Calls, name: str, *, is_watched: bool) -> frozenset[str]:
    """What is read; nothing where no reader can follow the name to a definition, but a call is watched."""
    try:
        return student.calls(name)
    except NotDefinedError:
        if is_watched:
            return frozenset()
        raise


def _run(student: Calls, name: str, inputs: tuple[Any, ...] | None, function: Any) -> frozenset[str]:
    """What torch runs in one call; nothing where none is asked for."""
    if inputs is None:
        return frozenset()
    return student.torch_calls(getattr(student, name) if function is None else function, *inputs)


def _matching(names: Iterable[str], patterns: Iterable[str]) -> set[str]:
    return {name for name in names if _matches(name, patterns)}


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _advise(text: str) -> None:
    warnings.warn(text, StaffAdvice, stacklevel=3)
