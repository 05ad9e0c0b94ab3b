"""What to tell students and staff about a check that did not pass."""

from __future__ import annotations

import builtins
import re
import traceback

from tensorgrade.errors import CheckFailure, NeedsOther, NotDefinedError, StudentError, WorkerLost

LOST_HINTS = {
    "TIMED_OUT": "Your code took too long here and was stopped. Look for a loop that does not end.",
    "OUT_OF_MEMORY": "Your code needed more memory than a check may use. Look at the sizes of its tensors.",
    "EXITED": "Your code ended its own process. Remove calls such as exit() or os._exit().",
    "KILLED": "Your code crashed its process.",
    "BAD_REPLY": "Your code disturbed the process it runs in, so its result could not be read.",
    "UNTRIED": "Not tried, because your code was stopped twice in this task. Mend the other checks first.",
}
ODD_RESULT = "Your code returned something of a form that this check could not use. Compare it with the task's text."
NOT_MET = "This requirement is not met yet. Compare your code with the task's text."
NOT_WRITTEN = "This is not written yet: the cell still raises NotImplementedError."
MAX_LINE = 120
MAX_HINT, MAX_RATIONALE = 2000, 20_000  # characters; a value of the student's may be in them
FOREIGN = re.compile(r"[/\\](_pytest|pluggy)[/\\]")  # the frames between pytest and the check


def hint_for(error: BaseException | None, *, in_notebook: bool = False) -> str | None:
    """What a student may read: no hidden input, no expected value, nothing of this machine.

    In the student's own notebook only public checks run, so that the error itself may follow.
    """
    if error is None:
        return None
    hint = _cut(_hint(error), MAX_HINT)
    details = _text_of(error) if in_notebook and not isinstance(error, NotDefinedError) else ""
    if not details:
        return hint
    return details if details.startswith(hint.rstrip(".")) else f"{hint}\n{details}"


def _hint(error: BaseException) -> str:
    match error:
        case CheckFailure():
            return error.hint or NOT_MET
        case StudentError():
            return _own_error(error)
        case WorkerLost():
            return LOST_HINTS.get(error.outcome, LOST_HINTS["KILLED"])
        case NeedsOther():
            if error.sentence is not None:
                return f"Not tried. First this has to hold: {error.sentence}"
            return f"Mend the task {error} first: this check builds on it."
        case AssertionError():
            return NOT_MET
    return ODD_RESULT


def rationale_for(error: BaseException | None) -> str | None:
    """What staff reads: everything that is known."""
    return None if error is None else _cut(_rationale(error), MAX_RATIONALE)


def _text_of(error: BaseException) -> str:
    """An exception's text; Python refuses to write an int of more than 4,300 digits."""
    try:
        return str(error).strip()
    except Exception as second:
        return f"(its text cannot be shown: {type(second).__name__})"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}\n… {len(text) - limit:,} characters left out …"


def _rationale(error: BaseException) -> str:
    match error:
        case StudentError():
            places = [f"  In [{frame.cell}], line {frame.line}: {frame.text}" for frame in error.frames]
            return "\n".join(["the student's code raised", *places, _text_of(error)])
        case CheckFailure() | WorkerLost():
            return _text_of(error)
        case NeedsOther():
            return f"not tried: {error} has not passed"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not FOREIGN.search(frame.filename)]
    return "".join(["the check raised\n", *traceback.format_list(own), *traceback.format_exception_only(error)])


def _own_error(error: StudentError) -> str:
    """The exception's type and the student's own line; its message may echo a hidden input."""
    if error.type_name == "NotImplementedError":
        return NOT_WRITTEN
    if isinstance(error, NotDefinedError):
        return f"{error.name} is not defined: the cell that defines it is missing, or raised an error."
    name = error.type_name if is_builtin_exception(error.type_name) else "an exception of its own"
    if not error.frames:
        return f"Your code raised {name}."
    frame = error.frames[-1]
    cell = f"cell In [{frame.cell}], " if frame.cell else ""
    return f"Your code raised {name} in {cell}line {frame.line}: {frame.text[:MAX_LINE]}"


def is_builtin_exception(name: str) -> bool:
    """Whether it is Python's own exception: a student could name a class after a hidden input."""
    kind = getattr(builtins, name, None)
    return isinstance(kind, type) and issubclass(kind, BaseException)
