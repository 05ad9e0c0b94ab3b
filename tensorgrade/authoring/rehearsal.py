"""Generates the student version of an assignment in a folder apart: no gradebook, no exchange, no release."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from nbgrader.converters import GenerateAssignment

from tensorgrade.course import Assignment, Submission
from tensorgrade.gradebook import Recorder, register_assignment


class _Rehearsal(Recorder):
    """A course's nbgrader that writes into another folder, with a gradebook of its own."""

    def __init__(self, assignment: Assignment, folder: Path) -> None:
        super().__init__(assignment.course)
        self._coursedir.release_directory = str(folder / "release")
        self._coursedir.db_url = f"sqlite:///{folder / 'gradebook.db'}"
        # nbgrader starts another program to ask which version an empty gradebook has, which takes longer than
        # all the rest here. One with a table is not empty; nothing reads the version of one that is thrown away.
        with closing(sqlite3.connect(folder / "gradebook.db")) as gradebook:
            gradebook.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")

    def generate_release(self, assignment: str) -> None:
        """The steps of a release, without the folder that students have and without the exchange."""
        register_assignment(self._coursedir, assignment, self._steps)
        with self._selected(assignment):
            self._run(GenerateAssignment(coursedir=self._coursedir, parent=self._app), f"release {assignment}")


def rehearse_release(assignment: Assignment, folder: Path) -> Path:
    """Generate the student version below a folder; returns the place of its files.

    Raises:
        GradebookError: nbgrader's reason.
    """
    _Rehearsal(assignment, folder).generate_release(assignment.name)
    return folder / "release" / assignment.name


class Sample(Submission):
    """A submission that nobody handed in, and that lies anywhere."""

    def __init__(self, assignment: Assignment, student: str, place: Path) -> None:
        super().__init__(assignment, student)
        object.__setattr__(self, "place", place)  # frozen, as every submission

    place: Path

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.place
