"""Grades submissions of one assignment: cells, checks, points, report."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat

import tensorgrade
from tensorgrade.course import Assignment, Submission
from tensorgrade.errors import GraderError, NotebookError, SandboxError, WorkerLost
from tensorgrade.grading.awards import require_known_checks
from tensorgrade.grading.classic import ClassicGrader, require_tests_inside, with_room_for_output
from tensorgrade.grading.executed import executed_notebook
from tensorgrade.grading.files import digest_of_folder, missing_notebooks, read_files_beside, require_regular_files
from tensorgrade.grading.plugin import GraderPlugin
from tensorgrade.grading.records import ALL_CHECKS, CheckRecord, Provenance, Report, Selection, Status, TaskRecord
from tensorgrade.grading.run import run_checks
from tensorgrade.grading.store import read_kept, write_kept
from tensorgrade.notebooks import (
    GradeCell,
    Steps,
    cells_to_run,
    grade_cells,
    language_of,
    read_notebook,
    restore,
    with_distinct_names,
    without_demos,
)
from tensorgrade.sandbox.files import require_hidden
from tensorgrade.sandbox.levels import Level
from tensorgrade.sandbox.template import Template, describe
from tensorgrade.student.session import Session

POINT_DIGITS = 4
TRIES = 3
DECIDING_PACKAGES = ("torch", "numpy", "pytest", "ipython", "nbgrader")


class Grader:
    """The grader of one assignment, tried on the reference solution and ready for submissions.

    Args:
        assignment: the assignment; its source notebooks hold the reference solution.
        template: forks the workers.
        reference: the verdicts on the reference solution, where another process has them already;
            without them it is run now.

    Raises:
        GraderError: notebooks and checks do not fit together, or a check cannot be loaded.
        SandboxError: this machine cannot confine student code.
    """

    def __init__(
        self, assignment: Assignment, template: Template, reference: tuple[CheckRecord, ...] | None = None
    ) -> None:
        require_hidden(assignment.course.root)
        self.assignment = assignment
        self._template = template
        self._secret = assignment.course.secret()
        self._steps = Steps(assignment.course.nbgrader_config, assignment.course.root)
        self._sources = _read_sources(assignment, self._steps)
        cells = [cell for name, source in self._sources.items() for cell in grade_cells(source, name)]
        self.cells = with_distinct_names(cells, manual_only=not assignment.is_classic)
        self._check_grade_cells()
        self._provenance = provenance_of(assignment, describe(template.level))
        self._data = self._files_beside(assignment.source)
        self._instructor = _read_instructor(assignment)
        self.reference = self._grade_reference() if reference is None else reference
        if self.reference:  # none is handed in where only keys are asked for
            require_known_checks(assignment, self.checks)

    def _grade_reference(self) -> tuple[CheckRecord, ...]:
        done = self._run(self._sources, self._data, read_kept(self.assignment))
        write_kept(self.assignment, done.kept)
        return done.checks

    @property
    def level(self) -> Level:
        """How student code is confined."""
        return self._template.level

    @property
    def broken(self) -> tuple[CheckRecord, ...]:
        """The checks that the reference solution does not pass, and whose weight nobody has awarded."""
        return tuple(record for record in self._failed_by_reference if record.name not in self.assignment.awards)

    @property
    def checks(self) -> tuple[str, ...]:
        """The names of all checks."""
        return tuple(record.name for record in self.reference)

    @property
    def _failed_by_reference(self) -> tuple[CheckRecord, ...]:
        # A test in the notebook may give the reference, too, fewer points than there are.
        return tuple(one for one in self.reference if one.status is not Status.PASSED and not one.points)

    def key(self, submission: Submission) -> str:
        """A hash of everything that decides the report: with the same key, grading again changes nothing."""
        secret = hashlib.sha256(self._secret).hexdigest()
        folders = digest_of_folder(self.assignment.source), digest_of_folder(submission.folder)
        text = json.dumps([asdict(self._provenance), secret, *folders], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def grade(self, submission: Submission, kept: Mapping[str, bytes] | None = None) -> Report:
        """Grade one submission; whatever the student's files hold ends in the report.

        Args:
            submission: its files are read.
            kept: what an earlier report on it kept; none of it is computed again.
        """
        started = time.monotonic()
        report = Report(self.assignment.name, submission.student, "unreadable", provenance=self._provenance)
        where = f"submission {submission.student}/{self.assignment.name}"
        try:
            require_regular_files(submission.folder)
            report = replace(report, key=self.key(submission))
            if lack := missing_notebooks(submission.folder, self._sources):
                return replace(report, status="missing", error=f"{where}: {lack}")
            notebooks = self._read_submission(submission)
            # The instructor's data files replace a student's of the same name, but those meant to be edited.
            edited = self.assignment.files_of_students
            own = {name: content for name, content in self._data.items() if name not in edited}
            done = self._run(notebooks, self._files_beside(submission.folder) | own, kept or {})
        except NotebookError as error:
            return replace(report, error=f"{where}: {error}")
        except SandboxError:
            raise  # this machine's failure, so everybody's; the grader has been tried on the reference
        except Exception as error:  # whatever one submission brings about, the others are graded
            return replace(report, error=f"{where}: could not be graded: {type(error).__name__}: {error}")
        checks = self._with_awards(self._with_broken(done.checks))
        return replace(
            report,
            status="graded",
            fakeable=self.assignment.is_classic,
            seconds=time.monotonic() - started,
            tasks=self._points(checks),
            checks=checks,
            notebooks=done.notebooks,
            kept=done.kept,
        )

    def try_out(self, submission: Submission, selection: Selection) -> tuple[CheckRecord, ...]:
        """The verdicts of some checks as they are: nothing is excused because the reference fails too.

        Cells with the tag ``demo`` are left out: they take most of the time of a trial and decide nothing.

        Args:
            submission: written by an author of the assignment, to try the grader.
            selection: which checks to run.

        Raises:
            NotebookError: its notebook cannot be read.
        """
        notebooks = {name: without_demos(one) for name, one in self._read_submission(submission).items()}
        return self._run(notebooks, self._data, {}, selection).checks

    def _check_grade_cells(self) -> None:
        names = [cell.name for cell in self.cells]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise GraderError(f'source/{self.assignment.name}: two grade cells are called "{doubled[0]}"')
        for name, source in self._sources.items():
            if language_of(source).lower() not in ("python", "python3", "ipython"):
                where = f"source/{self.assignment.name}/{name}.ipynb"
                raise GraderError(f"{where}: expected a notebook in Python, got one in {language_of(source)}")
        if self.assignment.is_classic:
            require_tests_inside(self.assignment.name, self._sources, self._steps)

    def _read_submission(self, submission: Submission) -> dict[str, Any]:
        """By name, the notebooks as they will run; a missing one of several is an empty one."""
        found = {name: submission.folder / f"{name}.ipynb" for name in self._sources}
        return {
            name: restore(read_notebook(path), self._sources[name], self._steps)
            if path.exists()
            else restore(nbformat.v4.new_notebook(), self._sources[name], self._steps)
            for name, path in found.items()
        }

    def _files_beside(self, folder: Path) -> dict[str, bytes]:
        return read_files_beside(folder, self.assignment.limits)

    def _run(
        self,
        notebooks: Mapping[str, Any],
        files: Mapping[str, bytes],
        kept: Mapping[str, bytes],
        selection: Selection = ALL_CHECKS,
    ) -> _Done:
        """Run the cells of each notebook, and the checks; again if something killed a worker meanwhile.

        What a machine without memory, or a person, kills must cost nobody points. A submission that
        brings it about each time gets the verdict of the last time.
        """
        for _ in range(TRIES - 1):
            before = self._template.disturbances
            try:
                done = self._run_once(notebooks, files, kept, selection)
            except WorkerLost:
                if self._template.disturbances == before:
                    raise
            else:
                if self._template.disturbances == before:
                    return done
        return self._run_once(notebooks, files, kept, selection)

    def _run_once(
        self, notebooks: Mapping[str, Any], files: Mapping[str, bytes], kept: Mapping[str, bytes], selection: Selection
    ) -> _Done:
        if self.assignment.is_classic:
            limits = with_room_for_output(self.assignment.limits)
            start = functools.partial(Session, self._template, files=files, limits=limits)
            return _Done(*ClassicGrader(self.cells, self._sources, self._steps, start).run(notebooks), {})
        with ExitStack() as stack:
            sessions = {}
            for name, notebook in notebooks.items():
                cells = [cell.source for cell in cells_to_run(notebook)]
                limits, instructor = self.assignment.limits, self._instructor
                session = Session(self._template, cells, files, limits, instructor=instructor, kept=kept)
                sessions[name] = stack.enter_context(session)
            tasks = {cell.name: sessions[cell.notebook] for cell in self.cells if not cell.manual}
            plugin = GraderPlugin(tasks, self._secret, self.assignment.name, selection=selection)
            run_checks(self.assignment.grader_files, plugin)
            executed = {
                name: executed_notebook(notebook, cells_to_run(notebook), sessions[name])
                for name, notebook in notebooks.items()
            }
            used = {key: value for session in sessions.values() for key, value in session.keeper.used.items()}
        return _Done(tuple(plugin.records[name] for name in plugin.planned), executed, used)

    def _with_broken(self, records: Iterable[CheckRecord]) -> tuple[CheckRecord, ...]:
        """The verdicts, but for checks that the reference fails too: those say nothing about anybody."""
        broken = {record.name: record for record in self._failed_by_reference}
        return tuple(
            replace(record, status=Status.BROKEN, hint=None, rationale=broken[record.name].rationale, points=None)
            if record.name in broken
            else record
            for record in records
        )

    def _with_awards(self, records: Iterable[CheckRecord]) -> tuple[CheckRecord, ...]:
        """The verdicts, with the reason where everybody gets a check's weight."""
        awards = {name: award.reason for name, award in self.assignment.awards.items()}
        return tuple(replace(record, awarded=awards.get(record.name)) for record in records)

    def _points(self, checks: tuple[CheckRecord, ...]) -> tuple[TaskRecord, ...]:
        return tuple(_task(cell, [check for check in checks if check.task == cell.name]) for cell in self.cells)


@dataclass(frozen=True)
class _Done:
    """What one run of a submission's cells and checks gave."""

    checks: tuple[CheckRecord, ...]
    notebooks: dict[str, dict[str, Any]]
    kept: dict[str, bytes]


def _task(cell: GradeCell, checks: list[CheckRecord]) -> TaskRecord:
    """A task's points: its share of passed weight, or None where staff decides."""
    points = None
    if not cell.manual and not any(check.status is Status.BROKEN and not check.counts for check in checks):
        given = [check.points for check in checks if check.points is not None and check.awarded is None]
        total = sum(check.weight for check in checks)
        passed = sum(check.weight for check in checks if check.counts)
        earned = sum(given) if given else round(cell.max_points * passed / total, POINT_DIGITS)
        points = min(max(earned, 0.0), cell.max_points)
    return TaskRecord(cell.name, cell.notebook, cell.max_points, points, cell.manual)


def _read_sources(assignment: Assignment, steps: Steps) -> dict[str, Any]:
    if not assignment.source_notebooks:
        raise GraderError(f"source/{assignment.name}: expected a notebook, found none")
    try:
        return {path.stem: steps.read_source(path) for path in assignment.source_notebooks}
    except NotebookError as error:
        raise GraderError(f"source/{assignment.name}/{error}") from error


def _read_instructor(assignment: Assignment) -> dict[str, str]:
    try:
        return {path.stem: path.read_text(encoding="utf-8") for path in assignment.worker_files}
    except (OSError, ValueError) as error:
        raise GraderError(f"graders/{assignment.name}/worker: cannot be read: {error}") from error


def provenance_of(assignment: Assignment, sandbox: str) -> Provenance:
    """What a result depends on besides the submission and the secret: under another level it is another result."""
    versions = {name: version(name) for name in DECIDING_PACKAGES}
    sources = digest_of_folder(Path(tensorgrade.__file__).parent)[:12]
    own = {"tensorgrade": f"{tensorgrade.__version__} ({sources})", "python": platform.python_version()}
    return Provenance(assignment.sha256(), {**own, **versions}, sandbox)
