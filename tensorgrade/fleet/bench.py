"""What an executor keeps warm: an assignment unpacked in a private folder, a template, a grader."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tensorgrade.course import Course, Submission
from tensorgrade.fleet.bundle import Bundle, inside, unpack
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import CheckRecord, Report, Selection
from tensorgrade.grading.store import read_kept, write_kept
from tensorgrade.limits import Limits
from tensorgrade.sandbox import held_folders
from tensorgrade.sandbox.levels import STRICT, Level
from tensorgrade.sandbox.process import Worker
from tensorgrade.sandbox.template import Template

PREFIX = "tensorgrade-bench-"


def warm_template(level: Level = STRICT) -> Template:
    """The one template of this process at that level; it starts while other things are done."""
    return _template_of(os.getpid(), level)


@functools.cache
def _template_of(process: int, level: Level) -> Template:  # a fork must not speak to its parent's
    return Template(level)


class LateTemplate(Template):
    """A template that starts with its first worker: for a coordinator, which may never need one."""

    def __init__(self, level: Level = STRICT) -> None:
        self.level = level
        self.disturbances = 0
        self._started = False

    def fork(self, limits: Limits) -> Worker:
        """A fresh worker; the first one takes two seconds."""
        if not self._started:
            super().__init__(self.level)
            self._started = True
        return super().fork(limits)

    def close(self) -> None:
        """End the template, if it was started."""
        if self._started:
            super().close()


class Bench:
    """One assignment, ready for submissions, in a folder that nobody else may enter.

    Args:
        bundle: the assignment.
        kept: what the reference solution need not compute again, if it is run here.
        level: how student code is confined.
    """

    def __init__(self, bundle: Bundle, kept: Mapping[str, bytes] | None = None, level: Level = STRICT) -> None:
        self._home = bundle.root
        self._root = private_folder()
        unpack(bundle.files, self._root)
        for name, target in bundle.links.items():
            place = inside(self._root, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)
        self._assignment = Course.at(self._root).assignment(bundle.assignment)
        write_kept(self._assignment, kept or {})
        self._grader = Grader(self._assignment, warm_template(level), bundle.reference)

    @property
    def reference(self) -> tuple[CheckRecord, ...]:
        """The verdicts on the reference solution."""
        return tuple(map(self._at_home, self._grader.reference))

    @property
    def kept(self) -> dict[str, bytes]:
        """What the reference solution need not compute again."""
        return read_kept(self._assignment)

    def grade(self, student: str, files: Mapping[str, bytes], kept: Mapping[str, bytes]) -> Report:
        """Grade one submission; nothing of it stays here."""
        with self._submitted(student, files) as submission:
            report = self._grader.grade(submission, kept)
        return replace(report, checks=tuple(map(self._at_home, report.checks)))

    def try_out(self, files: Mapping[str, bytes], selection: Selection) -> tuple[CheckRecord, ...]:
        """The verdicts of some checks on files that try the grader."""
        with self._submitted("trial", files) as submission:
            return tuple(map(self._at_home, self._grader.try_out(submission, selection)))

    @contextmanager
    def _submitted(self, student: str, files: Mapping[str, bytes]) -> Iterator[Submission]:
        """A submission of these files, for as long as it is looked at."""
        submission = Submission(self._assignment, student)
        inside(self._root, student)
        try:
            if files:
                unpack(files, submission.folder)
            yield submission
        finally:
            shutil.rmtree(self._root / "submitted", ignore_errors=True)

    def close(self) -> None:
        """Remove the folder, which holds the hidden checks and the course secret."""
        shutil.rmtree(self._root, ignore_errors=True)

    def _at_home(self, record: CheckRecord) -> CheckRecord:
        """A record whose rationale names the files of the course, wherever it was graded."""
        if record.rationale is None:
            return record
        return replace(record, rationale=record.rationale.replace(str(self._root), self._home))


def private_folder() -> Path:
    """A new folder for this user only, removed when this process ends, or by `sweep` if it is killed."""
    sweep()
    folder, _ = held_folders.make(PREFIX)  # held as long as this process lives
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def sweep() -> None:
    """Remove the folders of processes that were killed."""
    held_folders.sweep(PREFIX)
