"""Who is in which course: the one place that names people."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from tensorgrade.errors import UsageError
from tensorgrade.hub.tables import read_tables
from tensorgrade.lms.people import USER, read_people

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")  # part of addresses, groups and account names


@dataclass(frozen=True)
class HubCourse:
    """One course as the hub knows it.

    Attributes:
        name: in addresses and groups; it is nbgrader's course_id too.
        title: what people read.
        folder: the course directory on the grading machine.
        instructors: user names of those who write assignments and may stop students' servers.
        tas: user names of those who grade.
        students: user names; empty where sign-in brings them (LTI).
        lms_context: the LMS's id of the course, if people come from there; their roles come with them.
        gpus: how many servers with a GPU the course may have at a time.
        late_hours: how long after the due date submissions are still taken; left out: always.
    """

    name: str
    title: str
    folder: str
    instructors: tuple[str, ...]
    tas: tuple[str, ...] = ()
    students: tuple[str, ...] = ()
    lms_context: str = ""
    gpus: int = 0
    late_hours: float | None = None

    def __post_init__(self) -> None:
        """Refuse what would become a wrong group or a wrong folder.

        Raises:
            ValueError: with one sentence on it.
        """
        if not NAME.fullmatch(self.name):
            raise ValueError("expected a name of small letters, digits and hyphens, such as dl101")
        for user in (*self.staff, *self.students):
            if not USER.fullmatch(user):
                raise ValueError(f"user {user!r}: expected small letters, digits and _ . @ + -")
        if both := sorted(set(self.staff) & set(self.students)):
            raise ValueError(f"{both[0]} is both staff and student. Staff try an assignment with `tensorgrade preview`")
        if self.gpus < 0:
            raise ValueError(f"gpus: expected 0 or more, got {self.gpus}")
        if self.late_hours is not None and not self.late_hours >= 0:
            raise ValueError(f"late_hours: expected 0 or more, got {self.late_hours}")

    @property
    def staff(self) -> tuple[str, ...]:
        """Instructors and TAs, each once."""
        return tuple(dict.fromkeys((*self.instructors, *self.tas)))

    @property
    def staff_group(self) -> str:
        """The group of those who grade; nbgrader's name for it."""
        return f"formgrade-{self.name}"

    @property
    def instructor_group(self) -> str:
        """The group of those who write assignments and may stop students' servers."""
        return f"instructors-{self.name}"

    @property
    def student_group(self) -> str:
        """The group of those who hand in; nbgrader's name for it."""
        return f"nbgrader-{self.name}"


def read_courses(path: Path) -> tuple[HubCourse, ...]:
    """Read ``courses.toml``, and the students of each course from ``roster/<course>.csv`` beside it.

    Raises:
        UsageError: with the file, the course and the key that is wrong.
    """
    courses = tuple(
        _with_roster(course, roster_of(path.parent, course.name)) for course in read_tables(path, HubCourse)
    )
    seen: dict[str, str] = {}
    for course in courses:
        if course.lms_context and course.lms_context in seen:
            raise UsageError(f"{path}: [{course.name}]: lms_context is that of {seen[course.lms_context]} too")
        seen[course.lms_context] = course.name
    return courses


def roster_of(folder: Path, course: str) -> Path:
    """The file of a course's students that `tensorgrade roster` writes."""
    return folder / "roster" / f"{course}.csv"


def _with_roster(course: HubCourse, file: Path) -> HubCourse:
    """The course with the students of the file too; staff stay staff."""
    students = (*course.students, *(person.user for person in read_people(file) if person.user not in course.staff))
    return replace(course, students=tuple(dict.fromkeys(students)))
