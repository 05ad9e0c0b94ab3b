"""The exceptions of tensorgrade.

::

    TensorgradeError
    ├── UsageError            the command was called wrongly                 exit 2
    ├── PlatformError         the platform or a grader failed                exit 1
    │   ├── SandboxError      this machine cannot confine student code
    │   ├── WireError         bytes from the other side are not a message
    │   ├── GraderError       a grader cannot be run as it is written
    │   ├── GradebookError    nbgrader could not store a result
    │   ├── StorageError      a disk or a database cannot be written: nobody's result can be stored
    │   ├── LmsError          the learning management system refuses, or cannot be reached
    │   ├── ExchangeError     the hub's exchange refuses, or cannot be reached
    │   └── CourseBusy        another process grades in this course
    ├── NotebookError         a notebook cannot be read: data about a student, not a fault of ours
    ├── StudentError          the student's code raised
    │   └── NotDefinedError   the submission lacks a name that a check uses
    ├── WorkerLost            the student's process died or was stopped
    ├── NeedsOther        a check builds on a task that failed
    └── CheckFailure          a check found a wrong value (an AssertionError too)

Student misbehaviour is data: ``NotebookError``, ``StudentError``, ``WorkerLost``,
``NeedsOther`` and ``CheckFailure`` end in a report. The others end a command.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

REMEDIES = {
    errno.ENOSPC: "Free some space on that disk",
    errno.EDQUOT: "Free some of your quota",
    errno.EFBIG: "Allow larger files (`ulimit -f`)",
    errno.EROFS: "Make it writable",
    errno.EACCES: "Get the right to read and write there",
    errno.EPERM: "Get the right to read and write there",
}


class TensorgradeError(Exception):
    """The root of everything that tensorgrade raises on purpose."""


class UsageError(TensorgradeError):
    """A command or a setting is wrong; the message says where and what to write instead."""


class PlatformError(TensorgradeError):
    """The platform or a grader failed; no student is to blame."""


class SandboxError(PlatformError):
    """Student code cannot be confined on this machine, so none is run."""


class WireError(PlatformError):
    """Bytes that crossed the wall are not a message, or exceed a limit."""


class GraderError(PlatformError):
    """A grader cannot be run as it is written."""


class GradebookError(PlatformError):
    """nbgrader refused or failed to store a result."""


class StorageError(PlatformError):
    """A disk or a database cannot be read or written; the message says what to do."""

    @classmethod
    def from_os(cls, error: OSError) -> StorageError:
        """The sentence about an error of the operating system."""
        place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        reason = error.strerror or str(error)
        remedy = REMEDIES.get(error.errno or 0, "Mend that")
        return cls(f"{place}{reason}. {remedy}, then run this again; what was recorded stays.")


class LmsError(PlatformError):
    """The learning management system refuses, or cannot be reached.

    Args:
        message: the request, and what the answer was.
        status: the answer's HTTP status; 0 without an answer.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ExchangeError(PlatformError):
    """The hub's exchange refuses, or cannot be reached.

    Args:
        message: why.
        status: the answer's HTTP status; 0 without an answer.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class CourseBusy(PlatformError):
    """Another process grades in this course; the message says which."""


class NotebookError(TensorgradeError):
    """A notebook is missing or cannot be read."""


class WorkerLost(TensorgradeError):
    """The student's process is gone; the message says how it ended."""

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


@dataclass(frozen=True)
class StudentFrame:
    """One line of a student's traceback.

    Attributes:
        cell: number of the code cell as the notebook shows it, `In [cell]`, from 1; 0 if not known.
        line: line in that cell, from 1.
        text: that line, from our copy of the cell.
    """

    cell: int
    line: int
    text: str


class StudentError(TensorgradeError):
    """The student's code raised.

    Args:
        type_name: name of the exception's class, as the worker reported it.
        message: its text; may echo a hidden input, so it is for staff only.
        frames: the student's own lines, outermost first; nothing of ours.
    """

    def __init__(self, type_name: str, message: str, frames: tuple[StudentFrame, ...] = ()) -> None:
        super().__init__(f"{type_name}: {message}" if message else type_name)
        self.type_name = type_name
        self.message = message
        self.frames = frames


class NeedsOther(TensorgradeError):
    """What a check builds on has failed.

    Args:
        name: the task, or the check.
        sentence: the requirement that students read, if it is a check.
    """

    def __init__(self, name: str, sentence: str | None = None) -> None:
        super().__init__(name)
        self.sentence = sentence


class NotDefinedError(StudentError):
    """The submission does not define a name that a check uses; the message is that name."""

    def __init__(self, name: str) -> None:
        super().__init__("NameError", name)
        self.name = name


class CheckFailure(TensorgradeError, AssertionError):
    """A check found a wrong value.

    Args:
        rationale: what went wrong, for staff; may hold expected values.
        hint: what to try, for students; holds no hidden value.
    """

    def __init__(self, rationale: str, hint: str | None = None) -> None:
        super().__init__(rationale)
        self.rationale = rationale
        self.hint = hint


class StaffAdvice(UserWarning):
    """What a check cannot decide and staff should look at; it costs no points."""
