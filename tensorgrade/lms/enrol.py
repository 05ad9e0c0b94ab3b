"""Puts the list of students into nbgrader's gradebook, and takes nobody's grades away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nbgrader.api import Gradebook, Student
from sqlalchemy.exc import SQLAlchemyError

from tensorgrade.course import Course
from tensorgrade.errors import GradebookError
from tensorgrade.gradebook.explain import explained
from tensorgrade.lms.people import Person


@dataclass(frozen=True)
class Enrolment:
    """What changed.

    Attributes:
        added: user names that the gradebook did not know.
        changed: user names whose name, e-mail or LMS id is another now.
        absent: user names that the gradebook knows and the list does not; they keep their grades.
    """

    added: tuple[str, ...]
    changed: tuple[str, ...]
    absent: tuple[str, ...]


@contextmanager
def open_gradebook(course: Course) -> Iterator[Any]:
    """The gradebook of a course.

    Yields:
        nbgrader's gradebook.

    Raises:
        StorageError: its file cannot be read or written.
    """
    coursedir = course.start_nbgrader().coursedir
    with explained(coursedir.db_url), Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        yield gradebook


def enrol(course: Course, people: Iterable[Person]) -> Enrolment:
    """Let the gradebook know these students: all of them, or none if it cannot be written.

    What the list leaves empty stays as it is.

    Raises:
        StorageError: the gradebook cannot be written.
        GradebookError: the gradebook refuses somebody.
    """
    wanted = {person.user: _columns(person) for person in people}
    with open_gradebook(course) as gradebook:
        known = {student.id: student for student in gradebook.students}
        changed = []
        for user, columns in wanted.items():
            student = known.get(user)
            if student is None:
                gradebook.db.add(Student(id=user, **columns))
            elif any(getattr(student, name) != value for name, value in columns.items()):
                changed.append(user)
                for name, value in columns.items():
                    setattr(student, name, value)
        try:
            gradebook.db.commit()
        except SQLAlchemyError as error:
            gradebook.db.rollback()
            raise GradebookError(f"gradebook: nobody was enrolled: {error}") from error
    added = sorted(set(wanted) - set(known))
    return Enrolment(tuple(added), tuple(sorted(changed)), tuple(sorted(set(known) - set(wanted))))


def _columns(person: Person) -> dict[str, str]:
    names = ("email", "first_name", "last_name", "lms_user_id")
    return {name: getattr(person, name) for name in names if getattr(person, name)}
