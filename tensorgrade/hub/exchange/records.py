"""What the exchange knows: which assignments are out, who handed in what and when, which feedback there is."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from tensorgrade.hub.exchange import tables as t
from tensorgrade.hub.exchange.database import Database
from tensorgrade.hub.exchange.nouns import Assignment, HandIn, Kept, Quota, Refused, Submission, utc_now

RETIRABLE = (t.submissions, t.feedback)


class Records:
    """The records in a database."""

    def __init__(self, database: Database, quota: Quota) -> None:
        self.database, self._quota = database, quota

    def release(self, course: str, name: str, kept: Kept, due: datetime | None, *, force: bool) -> Assignment:
        """Let an assignment out; with force in the place of what was out before.

        Raises:
            Refused: 412, it is out already.
        """

        def work(connection: Connection) -> Assignment:
            found = _assignment(connection, course, name)
            if found and not found.withdrawn and not force:
                raise Refused(412, f"{name} is released already; add --force to replace it")
            values = {"due_at": due, "released_at": utc_now(), "withdrawn": 0, "notebooks": kept.notebooks,
                      "sha256": kept.sha256, "size": kept.size, "stored": kept.stored}  # fmt: skip
            key = {"course": course, "name": name}
            if found:
                connection.execute(update(t.assignments).filter_by(**key).values(values))
            else:
                connection.execute(insert(t.assignments).values(**key, **values))
            return _assignment(connection, course, name) or _gone(name)

        return self.database.write(work)

    def set_due(self, course: str, name: str, due: datetime | None) -> Assignment:
        """Change when an assignment is due.

        Raises:
            Refused: 404, it is not out.
        """

        def work(connection: Connection) -> Assignment:
            connection.execute(update(t.assignments).filter_by(course=course, name=name).values(due_at=due))
            return _assignment(connection, course, name) or _gone(name)

        return self.database.write(work)

    def withdraw(self, course: str, name: str) -> None:
        """Take an assignment out of sight; what was handed in stays."""
        where = {"course": course, "name": name}
        self.database.write(lambda c: c.execute(update(t.assignments).filter_by(**where).values(withdrawn=1)))

    def assignment(self, course: str, name: str) -> Assignment:
        """One that is out.

        Raises:
            Refused: 404, it is not out.
        """
        found = self.database.read(lambda connection: _assignment(connection, course, name))
        return found if found and not found.withdrawn else _gone(name)

    def assignments(self, courses: Collection[str]) -> tuple[Assignment, ...]:
        """All that are out in these courses."""
        query = select(t.assignments).where(t.assignments.c.course.in_(courses), t.assignments.c.withdrawn == 0)
        query = query.order_by(t.assignments.c.course, t.assignments.c.name)
        return self.database.read(lambda connection: tuple(map(_as_assignment, connection.execute(query))))

    def hand_in(self, new: HandIn) -> tuple[Submission, bool]:
        """Write a submission down, unless it is there already.

        Returns:
            The submission, and whether it is a new one.

        Raises:
            Refused: 409, the sender has used this attempt's name for other bytes; 429, it is one too many.
        """

        def work(connection: Connection) -> tuple[Submission, bool]:
            found = _same_attempt(connection, new) or _same_as_last(connection, new)
            return (found, False) if found else (self._insert(connection, new), True)

        return self.database.write(work)

    def require_same_files(self, new: HandIn) -> None:
        """Check that the name of an attempt stands for these files only, before anything is stored.

        Raises:
            Refused: 409, it was used for others.
        """
        self.database.read(lambda connection: _same_attempt(connection, new))

    def require_room(self, course: str, assignment: str, student: str, size: int) -> int:
        """Check that the student may hand in once more, before anything is stored.

        Raises:
            Refused: 429, it is one too many, or too large.
        """
        return self.database.read(lambda c: self._require_room(c, course, assignment, student, size))

    def _require_room(self, connection: Connection, course: str, assignment: str, student: str, size: int) -> int:
        """The number of the student's last submission."""
        mine = select(func.count(), func.coalesce(func.max(t.submissions.c.number), 0)).select_from(t.submissions)
        count, last = connection.execute(mine.filter_by(course=course, assignment=assignment, student=student)).one()
        if count >= self._quota.submissions:
            raise Refused(429, f"you have handed this in {count} times; no more is taken. Ask your instructor")
        all_mine = select(func.coalesce(func.sum(t.submissions.c.size), 0)).select_from(t.submissions)
        here = {"course": course, "student": student, "retired_at": None}
        used = connection.execute(all_mine.filter_by(**here)).scalar_one()
        if used + size > self._quota.bytes:
            raise Refused(429, f"your submissions in this course have {used} bytes; no more is taken")
        return int(last)

    def _insert(self, connection: Connection, new: HandIn) -> Submission:
        last = self._require_room(connection, new.course, new.assignment, new.student, new.kept.size)
        assignment = _assignment(connection, new.course, new.assignment)
        due = assignment.due_at if assignment else None
        values = {"id": secrets.token_hex(16), "course": new.course, "assignment": new.assignment,
                  "student": new.student, "number": last + 1, "attempt": new.attempt,
                  "received_at": new.received_at, "due_at": due,
                  "seconds_late": max(0.0, (new.received_at - due).total_seconds()) if due else 0.0,
                  "notebooks": new.kept.notebooks, "sha256": new.kept.sha256, "size": new.kept.size,
                  "stored": new.kept.stored}  # fmt: skip
        connection.execute(insert(t.submissions).values(values))
        return _submissions(connection, id=str(values["id"]))[0]

    def submissions(self, **where: str) -> tuple[Submission, ...]:
        """Those of a course, an assignment, a student, by whatever columns are named; the first one first."""
        return self.database.read(lambda connection: _submissions(connection, **where))

    def submission(self, receipt: str) -> Submission:
        """The one with this receipt.

        Raises:
            Refused: 404, there is none.
        """
        found = self.submissions(id=receipt)
        if not found:
            raise Refused(404, "no submission has this receipt")
        return found[0]

    def set_feedback(self, receipt: str, kept: Kept, pages: dict[str, str]) -> None:
        """Write down the feedback on a submission, in the place of an older one."""
        values = {"submission": receipt, "released_at": utc_now(), "pages": json.dumps(pages),
                  "sha256": kept.sha256, "size": kept.size, "stored": kept.stored}  # fmt: skip

        def work(connection: Connection) -> None:
            connection.execute(delete(t.feedback).filter_by(submission=receipt))
            connection.execute(insert(t.feedback).values(values))

        self.database.write(work)

    def stored(self) -> set[str]:
        """The names in the store of all whose bytes have to be there."""
        queries = (select(t.assignments.c.stored), *(select(i.c.stored).filter_by(retired_at=None) for i in RETIRABLE))
        return self.database.read(lambda c: {row.stored for query in queries for row in c.execute(query)})


def _gone(name: str) -> Any:
    raise Refused(404, f"no assignment {name!r} is released in this course")


def _assignment(connection: Connection, course: str, name: str) -> Assignment | None:
    row = connection.execute(select(t.assignments).filter_by(course=course, name=name)).one_or_none()
    return _as_assignment(row) if row else None


def _as_assignment(row: Row[Any]) -> Assignment:
    values = row._asdict()
    return Assignment(**{**values, "withdrawn": bool(row.withdrawn), "notebooks": tuple(json.loads(row.notebooks))})


def _submissions(connection: Connection, **where: str) -> tuple[Submission, ...]:
    joined = t.submissions.outerjoin(t.feedback, t.feedback.c.submission == t.submissions.c.id)
    query = select(
        t.submissions,
        t.feedback.c.pages,
        t.feedback.c.stored.label("feedback_stored"),
        t.feedback.c.retired_at.label("feedback_retired_at"),
    )
    query = query.select_from(joined).order_by(t.submissions.c.course, t.submissions.c.assignment)
    query = query.order_by(t.submissions.c.student, t.submissions.c.number)
    for column, value in where.items():
        query = query.where(t.submissions.c[column] == value)
    return tuple(map(_as_submission, connection.execute(query)))


def _as_submission(row: Row[Any]) -> Submission:
    values = row._asdict()
    values.pop("attempt")
    pages = json.loads(row.pages) if row.pages is not None and row.feedback_retired_at is None else None
    return Submission(**{**values, "notebooks": tuple(json.loads(row.notebooks)), "pages": pages})


def _same_attempt(connection: Connection, new: HandIn) -> Submission | None:
    """What was handed in under the same name, if the sender has sent it again because no answer came."""
    if new.attempt is None:
        return None
    found = _submissions(connection, **_place(new), attempt=new.attempt)
    if found and found[0].sha256 != new.kept.sha256:
        raise Refused(409, "this Idempotency-Key was used for other files")
    return found[0] if found else None


def _same_as_last(connection: Connection, new: HandIn) -> Submission | None:
    """The student's last submission, if it has, and still is, the same bytes: the receipt, and its time, stay."""
    found = _submissions(connection, **_place(new))
    last = found[-1] if found else None
    return last if last and last.sha256 == new.kept.sha256 and last.retired_at is None else None


def _place(new: HandIn) -> dict[str, str]:
    return {"course": new.course, "assignment": new.assignment, "student": new.student}
