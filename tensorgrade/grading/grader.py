"""Grades submissions of one assignment: cells, checks, points, report."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat

import tensorgrade
from tensorgrade.course import Assignment, Submission
from tensorgrade.errors import GraderError, NotebookError, PlatformError
from tensorgrade.grading.files import digest_of_folder, read_files_beside, require_regular_files
from tensorgrade.grading.plugin import GraderPlugin
from tensorgrade.grading.records import CheckRecord, Provenance, Report, Status, TaskRecord
from tensorgrade.grading.run import run_checks
from tensorgrade.notebooks import GradeCell, cells_to_run, grade_cells, read_notebook, restore, with_outputs
from tensorgrade.sandbox.template import LEVEL, Template
from tensorgrade.student import Session

POINT_DIGITS = 4
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
        self.assignment = assignment
        self._template = template
        self._secret = assignment.course.secret()
        self._sources = _read_sources(assignment)
        self.cells = tuple(cell for name, source in self._sources.items() for cell in grade_cells(source, name))
        self._check_grade_cells()
        self._provenance = _provenance(assignment)
        self._data = self._files_beside(assignment.source)
        self.reference = self._run(self._sources, self._data)[0] if reference is None else reference

    @property
    def broken(self) -> tuple[CheckRecord, ...]:
        """The checks that the reference solution does not pass."""
        return tuple(record for record in self.reference if record.status is not Status.PASSED)

    def key(self, submission: Submission) -> str:
        """A hash of everything that decides the report: with the same key, grading again changes nothing."""
        secret = hashlib.sha256(self._secret).hexdigest()
        folders = digest_of_folder(self.assignment.source), digest_of_folder(submission.folder)
        text = json.dumps([asdict(self._provenance), secret, *folders], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def grade(self, submission: Submission) -> Report:
        """Grade one submission; whatever the student's files hold ends in the report."""
        started = time.monotonic()
        report = Report(self.assignment.name, submission.student, "unreadable", provenance=self._provenance)
        where = f"submission {submission.student}/{self.assignment.name}"
        try:
            require_regular_files(submission.folder)
            report = replace(report, key=self.key(submission))
            notebooks = self._read_submission(submission)
            if not notebooks:
                return replace(report, status="missing", error=f"{where}: {self._what_is_missing(submission)}")
            # The instructor's data files replace a student's of the same name.
            files = self._files_beside(submission.folder) | self._data
            records, executed = self._run(notebooks, files)
        except NotebookError as error:
            return replace(report, error=f"{where}: {error}")
        except PlatformError:
            raise
        except Exception as error:  # whatever one submission brings about, the others are graded
            return replace(report, error=f"{where}: could not be graded: {type(error).__name__}: {error}")
        checks = self._with_broken(records)
        return replace(
            report,
            status="graded",
            seconds=time.monotonic() - started,
            tasks=self._points(checks),
            checks=checks,
            notebooks=executed,
        )

    def _check_grade_cells(self) -> None:
        names = [cell.name for cell in self.cells]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise GraderError(f'source/{self.assignment.name}: two grade cells are called "{doubled[0]}"')
        if not self.assignment.grader_files:
            raise GraderError(
                f"graders/{self.assignment.name}: expected test_public.py or test_hidden.py, found neither"
            )

    def _read_submission(self, submission: Submission) -> dict[str, Any]:
        """By name, the notebooks as they will run; a missing one of several is an empty one."""
        found = {name: submission.folder / f"{name}.ipynb" for name in self._sources}
        if not any(path.exists() for path in found.values()):
            return {}
        return {
            name: restore(read_notebook(path), self._sources[name])
            if path.exists()
            else restore(nbformat.v4.new_notebook(), self._sources[name])
            for name, path in found.items()
        }

    def _files_beside(self, folder: Path) -> dict[str, bytes]:
        return read_files_beside(folder, self.assignment.limits)

    def _what_is_missing(self, submission: Submission) -> str:
        expected = " and ".join(f"{name}.ipynb" for name in self._sources)
        others = sorted(path.name for path in submission.folder.glob("*.ipynb"))
        found = f"found {', '.join(others[:5])}" if others else "found no notebook"
        return f"expected {expected}, {found}. Rename the student's file, or ask for it."

    def _run(
        self, notebooks: Mapping[str, Any], files: Mapping[str, bytes]
    ) -> tuple[tuple[CheckRecord, ...], dict[str, dict[str, Any]]]:
        """Run the cells of each notebook and every check; returns the verdicts and the executed notebooks."""
        with ExitStack() as stack:
            sessions = {}
            for name, notebook in notebooks.items():
                cells = [cell.source for cell in cells_to_run(notebook)]
                session = Session(self._template, cells, files, self.assignment.limits)
                sessions[name] = stack.enter_context(session)
            tasks = {cell.name: sessions[cell.notebook] for cell in self.cells if not cell.manual}
            plugin = GraderPlugin(tasks, self._secret, self.assignment.name)
            run_checks(self.assignment.grader_files, plugin)
            executed = {name: _executed(notebook, sessions[name]) for name, notebook in notebooks.items()}
        return tuple(plugin.records[name] for name in plugin.planned), executed

    def _with_broken(self, records: Iterable[CheckRecord]) -> tuple[CheckRecord, ...]:
        """The verdicts, but for checks that the reference fails too: those say nothing about anybody."""
        broken = {record.name: record for record in self.broken}
        return tuple(
            replace(record, status=Status.BROKEN, hint=None, rationale=broken[record.name].rationale)
            if record.name in broken
            else record
            for record in records
        )

    def _points(self, checks: tuple[CheckRecord, ...]) -> tuple[TaskRecord, ...]:
        return tuple(_task(cell, [check for check in checks if check.task == cell.name]) for cell in self.cells)


def _task(cell: GradeCell, checks: list[CheckRecord]) -> TaskRecord:
    """A task's points: its share of passed weight, or None where staff decides."""
    points = None
    if not cell.manual and not any(check.status is Status.BROKEN for check in checks):
        total = sum(check.weight for check in checks)
        passed = sum(check.weight for check in checks if check.status is Status.PASSED)
        points = round(min(max(cell.max_points * passed / total, 0.0), cell.max_points), POINT_DIGITS)
    return TaskRecord(cell.name, cell.notebook, cell.max_points, points, cell.manual)


def _read_sources(assignment: Assignment) -> dict[str, Any]:
    if not assignment.source_notebooks:
        raise GraderError(f"source/{assignment.name}: expected a notebook, found none")
    try:
        return {path.stem: read_notebook(path) for path in assignment.source_notebooks}
    except NotebookError as error:
        raise GraderError(f"source/{assignment.name}/{error}") from error


def _executed(notebook: Any, session: Session) -> dict[str, Any]:
    """The notebook with the outputs of its cells, as plain values."""
    cells = cells_to_run(notebook)
    outputs = {cells[position].index: found for position, found in session.outputs.items()}
    for position, loss in session.lost.items():
        outputs[cells[position].index] = [_loss_output(str(loss))]
    executed = with_outputs(notebook, outputs)
    for position, cell in enumerate(cells):
        executed.cells[cell.index].execution_count = position + 1
    plain: dict[str, Any] = json.loads(json.dumps(executed))
    return plain


def _loss_output(reason: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": "Stopped", "evalue": reason, "traceback": [f"Stopped: {reason}"]}


def _provenance(assignment: Assignment) -> Provenance:
    versions = {name: version(name) for name in DECIDING_PACKAGES}
    sources = digest_of_folder(Path(tensorgrade.__file__).parent)[:12]
    own = {"tensorgrade": f"{tensorgrade.__version__} ({sources})", "python": platform.python_version()}
    return Provenance(assignment.sha256(), {**own, **versions}, LEVEL)
