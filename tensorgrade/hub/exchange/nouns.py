"""The nouns of the exchange: what is out, what was handed in, what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

TIME = "%Y-%m-%d %H:%M:%S.%f UTC"  # nbgrader's own way to write it


def utc_now() -> datetime:
    """The server's clock."""
    return datetime.now(UTC).replace(tzinfo=None)


def written(time: datetime | None) -> str | None:
    """A time as nbgrader writes it."""
    return time.strftime(TIME) if time else None


@dataclass(frozen=True)
class Kept:
    """Bytes that the store has.

    Attributes:
        sha256: their content hash.
        size: bytes.
        stored: their name in the store.
        names: of the files in the archive.
    """

    sha256: str
    size: int
    stored: str
    names: tuple[str, ...]

    @property
    def notebooks(self) -> str:
        """The names of the notebooks, as the database has them."""
        return json.dumps([name.removesuffix(".ipynb") for name in self.names if name.endswith(".ipynb")])


@dataclass(frozen=True)
class Assignment:
    """An assignment that staff have released."""

    course: str
    name: str
    due_at: datetime | None
    released_at: datetime
    withdrawn: bool
    notebooks: tuple[str, ...]
    sha256: str
    size: int
    stored: str

    def as_json(self) -> dict[str, Any]:
        """What its readers are told."""
        return {
            "course": self.course,
            "assignment": self.name,
            "due": written(self.due_at),
            "released": written(self.released_at),
            "notebooks": list(self.notebooks),
            "sha256": self.sha256,
            "size": self.size,
        }


@dataclass(frozen=True)
class Submission:
    """What a student has handed in; never changed, never taken back. Its bytes may be retired when they are old.

    Attributes:
        id: the receipt's number.
        number: the how-manieth of this student for this assignment; the order counts, not the clock.
        seconds_late: against the due date as it was when it came.
        retired_at: when its bytes were removed; None: they are there.
        pages: by the name of a feedback page, its content hash; None: no feedback yet, or not any more.
        feedback_retired_at: when the bytes of its feedback were removed.
    """

    id: str
    course: str
    assignment: str
    student: str
    number: int
    received_at: datetime
    due_at: datetime | None
    seconds_late: float
    notebooks: tuple[str, ...]
    sha256: str
    size: int
    stored: str
    retired_at: datetime | None
    pages: dict[str, str] | None
    feedback_stored: str | None
    feedback_retired_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        """The receipt."""
        return {
            "receipt": self.id,
            "course": self.course,
            "assignment": self.assignment,
            "student": self.student,
            "number": self.number,
            "received": written(self.received_at),
            "due": written(self.due_at),
            "seconds_late": self.seconds_late,
            "notebooks": list(self.notebooks),
            "sha256": self.sha256,
            "size": self.size,
            "feedback": self.pages,
            "retired": written(self.retired_at),
            "feedback_retired": written(self.feedback_retired_at),
        }

    def require_files(self) -> str:
        """Their name in the store.

        Raises:
            Refused: 410, they were retired.
        """
        if self.retired_at:
            raise Refused(410, f"these files were removed on {written(self.retired_at)}: they were kept long enough")
        return self.stored

    def require_feedback(self) -> str:
        """Its name in the store.

        Raises:
            Refused: 404, there is none yet; 410, it was retired.
        """
        if self.feedback_retired_at:
            when = written(self.feedback_retired_at)
            raise Refused(410, f"this feedback was removed on {when}: it was kept long enough")
        if self.feedback_stored is None:
            raise Refused(404, "there is no feedback on this submission yet")
        return self.feedback_stored


@dataclass(frozen=True)
class HandIn:
    """A submission that has come and waits for its number.

    Attributes:
        attempt: what the sender calls it; None: it has no name.
        received_at: when its last byte came, by the server's clock.
    """

    course: str
    assignment: str
    student: str
    attempt: str | None
    received_at: datetime
    kept: Kept


class Refused(Exception):
    """The records do not allow it.

    Args:
        status: of HTTP.
        reason: for whoever asks.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Quota:
    """How much one student may hand in.

    Attributes:
        submissions: for one assignment.
        bytes: in one course, packed.
    """

    submissions: int
    bytes: int


def latest(submissions: Iterable[Submission]) -> dict[tuple[str, str, str], Submission]:
    """The last one of each student for each assignment."""
    return {(one.course, one.assignment, one.student): one for one in submissions}
