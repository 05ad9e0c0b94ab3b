"""Reads totals from nbgrader's gradebook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from nbgrader.api import SubmittedAssignment

from tensorgrade.course import Course
from tensorgrade.errors import UsageError
from tensorgrade.lms.enrol import open_gradebook
from tensorgrade.lms.people import Person

DIGITS = 2  # what an LMS shows, and Canvas compares


class State(Enum):
    """How far a submission is graded."""

    NOTHING = "no submission"
    PARTLY = "waits for staff"
    GRADED = "graded"


@dataclass(frozen=True)
class Grade:
    """One student's total in one assignment.

    Attributes:
        person: the student, as the gradebook knows them.
        assignment: its name.
        state: how far it is graded.
        points: the sum of its tasks, manual points included, less the late penalty and not below 0; None
            unless all of it is graded.
        late_penalty: points taken off.
        max_points: what the assignment gives.
        submitted: when it was handed in, as nbgrader recorded it in UTC; empty if it did not.
    """

    person: Person
    assignment: str
    state: State
    points: float | None
    late_penalty: float
    max_points: float
    submitted: str = ""


def read_grades(course: Course, assignments: Iterable[str] = ()) -> tuple[Grade, ...]:
    """The grades of every student, by assignment and user name.

    Args:
        course: whose gradebook.
        assignments: their names; without, all that the gradebook has.

    Raises:
        UsageError: the gradebook has no such assignment.
        StorageError: the gradebook cannot be read.

    Source: the total is that of nbgrader's own exporter, `nbgrader.plugins.export`.
    """
    with open_gradebook(course) as gradebook:
        known = {assignment.name: float(assignment.max_score) for assignment in gradebook.assignments}
        names = tuple(assignments) or tuple(sorted(known))
        for name in names:
            if name not in known:
                raise UsageError(f"{name}: the gradebook has no such assignment. It has: {', '.join(sorted(known))}")
        people = sorted((_person(student) for student in gradebook.students), key=lambda person: person.user)
        found = {(one.assignment.name, one.student_id): one for one in gradebook.db.query(SubmittedAssignment)}
        return tuple(
            _grade(person, name, known[name], found.get((name, person.user))) for name in names for person in people
        )


def _person(student: Any) -> Person:
    texts = {name: getattr(student, name) or "" for name in ("email", "first_name", "last_name", "lms_user_id")}
    return Person(student.id, **texts)


def _grade(person: Person, name: str, max_points: float, submission: Any) -> Grade:
    if submission is None:
        return Grade(person, name, State.NOTHING, None, 0.0, max_points)
    penalty = round(float(submission.late_submission_penalty or 0), DIGITS)
    submitted = submission.timestamp.isoformat() if submission.timestamp else ""
    if submission.needs_manual_grade:
        return Grade(person, name, State.PARTLY, None, penalty, max_points, submitted)
    points = round(max(0.0, float(submission.score) - float(submission.late_submission_penalty or 0)), DIGITS)
    return Grade(person, name, State.GRADED, points, penalty, max_points, submitted)
