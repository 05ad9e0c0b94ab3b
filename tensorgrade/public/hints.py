"""What to tell a student about a public check that does not pass, in their own notebook."""

from __future__ import annotations

import difflib
import linecache
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

from tensorgrade.errors import CheckFailure, NotDefinedError, StudentError, StudentFrame
from tensorgrade.grading.hints import NOT_MET, hint_for

MAX_MESSAGE = 1000  # characters of an exception's own message
FIRST_LINES, LAST_LINES = 2, 4  # kept of a long way through the student's code
NOT_WRITTEN = (
    "This is not written yet: put your code in the place of raise NotImplementedError(), and run the cell again."
)
LOOK_AT_TENSORS = "Look at what goes into that line: print(x.shape, x.dtype) just before it."
WHAT_TO_TRY = {
    "NameError": "Is the name misspelt, or is the cell that defines it not run yet?",
    "UnboundLocalError": "A variable is used before it has a value. Is it set on every way through the function?",
    "AttributeError": "What stands before the dot may be something else than you think: print(type(x)) just before it.",
    "TypeError": "Compare the arguments, their number and their types with the task's text.",
    "ModuleNotFoundError": "Use what the notebook imports at its top; anything else may be missing where it is graded.",
    "RecursionError": "A function calls itself without end. When should it stop?",
    "ZeroDivisionError": "Which input makes the divisor 0, and what should come out then?",
    "KeyError": "Print the keys that are there just before that line.",
    "IndexError": LOOK_AT_TENSORS,
    "RuntimeError": LOOK_AT_TENSORS,
    "ValueError": LOOK_AT_TENSORS,
}


def practice_hint(error: BaseException | None, namespace: dict[str, Any], trace: tuple[str, ...]) -> str | None:
    """What happened, and what to try; a public check has nothing to hide."""
    match error:
        case NotDefinedError():
            return _not_defined(error.name, namespace)
        case StudentError():
            return _raised(error.type_name, error.message, trace)
        case CheckFailure():
            return _not_met(error.rationale.strip(), error.hint or "")
        case Exception() if trace and not isinstance(error, AssertionError):
            return _raised(type(error).__name__, str(error), trace)  # from a class, say, that the check used
    return hint_for(error, in_notebook=True)


def _not_met(rationale: str, hint: str) -> str | None:
    """What went wrong, then what to try, without saying the same twice."""
    first, _, rest = hint.partition(". ")
    if hint and rationale.startswith(first.rstrip(".")):
        hint = rest
    return "\n".join(filter(None, (rationale, hint))) or NOT_MET


def _not_defined(name: str, namespace: dict[str, Any]) -> str:
    own = [key for key in namespace if not key.startswith("_")]
    near = difflib.get_close_matches(name, own, 1, cutoff=0.75)
    if near:
        return f"{name} is not defined, but {near[0]} is. Is one of them misspelt?"
    return f"{name} is not defined. Run the cell that defines it; if that shows an error, mend it first."


def _raised(type_name: str, message: str, trace: tuple[str, ...]) -> str:
    if _is_not_written(type_name, message, trace):
        return NOT_WRITTEN
    left_out = len(message) - MAX_MESSAGE
    shown = message if left_out <= 0 else f"{message[:MAX_MESSAGE]} … {left_out:,} characters left out …"
    lines = [f"Your code raised {type_name}{': ' if shown else '.'}{shown}"]
    return "\n".join([*lines, *([WHAT_TO_TRY[type_name]] if type_name in WHAT_TO_TRY else [])])


def _is_not_written(type_name: str, message: str, trace: tuple[str, ...]) -> bool:
    """Whether the released cell raised it: torch does too, with a message, where a tensor lacks an operation."""
    return type_name == "NotImplementedError" and (not message or "NotImplementedError" in "".join(trace[-1:]))


def practice_trace(error: BaseException | None, namespace: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """The student's own lines on the way to an error, outermost first."""
    if error is None or isinstance(error, NotDefinedError):
        return ()  # the error was raised by us, on the way to a name
    raised = error.__cause__ if isinstance(error, StudentError) and error.__cause__ is not None else error
    found = own_lines(raised.__traceback__, namespace, folder)
    if not found and isinstance(error, StudentError):
        return tuple(f"{_cell(frame)}line {frame.line}: {frame.text}" for frame in error.frames)
    return found


def _cell(frame: StudentFrame) -> str:
    return f"In [{frame.cell}], " if frame.cell else ""


def own_lines(trace: TracebackType | None, namespace: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """The lines of a traceback that lie in the notebook, or in a file beside it that is none of its checks."""
    lines = [_line(code, number) for code, number, own in _frames(trace, namespace, folder) if own]
    left_out = len(lines) - FIRST_LINES - LAST_LINES
    if left_out > 1:
        lines[FIRST_LINES:-LAST_LINES] = [f"… {left_out:,} lines left out …"]
    return tuple(lines)


def _frames(
    trace: TracebackType | None, namespace: dict[str, Any], folder: Path
) -> Iterator[tuple[CodeType, int, bool]]:
    while trace is not None:
        code = trace.tb_frame.f_code
        path = Path(code.co_filename)
        beside = path.parent == folder and not path.name.startswith("test_")
        yield code, trace.tb_lineno, trace.tb_frame.f_globals is namespace or beside
        trace = trace.tb_next


def _line(code: CodeType, number: int) -> str:
    text = linecache.getline(code.co_filename, number).strip()
    inside = "" if code.co_name.startswith("<") else f", in {code.co_name}"
    return f"{_place(code.co_filename)}, line {number}{inside}: {text}"


def _place(filename: str) -> str:
    """The cell of a file name that IPython has made up, as the notebook numbers it; or the file's own name."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    cells = getattr(getattr(shell, "compile", None), "_filename_map", {})
    return f"In [{cells[filename]}]" if filename in cells else Path(filename).name
