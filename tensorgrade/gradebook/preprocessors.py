"""The steps that nbgrader takes for us when it converts a notebook; `configure` names them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from traitlets import Unicode

from tensorgrade.course import Course
from tensorgrade.errors import GradebookError, NotebookError, TensorgradeError
from tensorgrade.gradebook.register import register_assignment
from tensorgrade.gradebook.setup_cell import add_setup_cell
from tensorgrade.grading.files import missing_notebooks, require_regular_files
from tensorgrade.grading.records import Report, TaskRecord
from tensorgrade.notebooks import Steps, grade_id_of, is_autograded, read_notebook, restore
from tensorgrade.reports import staff_json, staff_report, task_table

SECONDS_LATE = "seconds_late"  # what the penalty in the gradebook was computed from


class SubmissionExporter(NotebookExporter):  # type: ignore[misc]  # nbconvert has no types
    """Reads what nbgrader autogrades: notebooks as tensorgrade reads them, and the Report on them.

    nbgrader makes one before it looks at the first submission. This is the only place before its
    look-ups in the database where an error stops it, so the assignment is registered here:
    a ``pre_convert_hook`` knows no database, and its errors are only logged.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._report: Report | None = None
        # nbgrader copies what lies beside a notebook before it comes to us, and follows links.
        self.parent.init_assignment = functools.partial(_init_vetted, self.parent, self.parent.init_assignment)
        if getattr(self.parent, "is_registered", False):
            return
        from tensorgrade.fleet.lock import require_free  # not above: this loads torch

        coursedir = self.parent.coursedir
        sources = Path(coursedir.format_path(coursedir.source_directory, ".", "."))
        try:
            require_free(Course.at(Path(coursedir.root)))  # before nbgrader removes what it will write again
            for folder in sorted(sources.glob(coursedir.assignment_id)):
                register_assignment(coursedir, folder.name, Steps(self.config, Path(coursedir.root)))
        except TensorgradeError as error:
            self.log.error(str(error))
            raise NbGraderException(str(error)) from error

    def from_filename(self, filename: str, resources: Any = None, **kwargs: Any) -> tuple[NotebookNode, dict[str, Any]]:
        """Convert a notebook, however odd it is.

        Raises:
            NotebookError: it cannot be read.
        """
        path = Path(filename)
        resources = ResourcesDict() if resources is None else resources
        resources["metadata"] = ResourcesDict(name=path.stem, path=str(path.parent))
        result: tuple[NotebookNode, dict[str, Any]] = self.from_notebook_node(
            read_notebook(path), resources=resources, **kwargs
        )
        return result

    def report_on(self, assignment: str, student: str) -> Report:
        """The report that was handed in, or that of grading now, once for all notebooks of a submission."""
        handed_in: Report | None = getattr(self.parent, "report", None)
        if handed_in is not None:
            return handed_in
        known = self._report
        if known is None or (known.assignment, known.student) != (assignment, student):
            from tensorgrade.fleet import grade_now  # not above: this loads torch, which writing does not need

            known = self._report = grade_now(Path(self.parent.coursedir.root), assignment, student)
        return known


def _init_vetted(converter: Any, init_assignment: Any, assignment: str, student: str) -> None:
    """Take nbgrader's first step on a submission, if it holds what that step needs and nothing harmful."""
    coursedir = converter.coursedir
    folder = Path(coursedir.format_path(coursedir.submitted_directory, student, assignment))
    sources = Path(coursedir.format_path(coursedir.source_directory, ".", assignment))
    try:
        require_regular_files(folder)
    except NotebookError as error:
        raise GradebookError(f"submission {student}/{assignment}: {error}") from error
    lack = missing_notebooks(folder, (path.stem for path in sorted(sources.glob("*.ipynb"))))
    if lack is not None:
        raise GradebookError(f"submission {student}/{assignment}: {lack}")
    try:
        coursedir.get_existing_timestamp(str(folder))
    except Exception as error:  # nbgrader 0.9.6 trips over its own message
        raise GradebookError(
            f"submission {student}/{assignment}: timestamp.txt: expected a time such as 2026-02-03 15:00:00 UTC. "
            "Correct it, or remove it: without one a submission is in time."
        ) from error
    init_assignment(assignment, student)


class RestoreCells(NbGraderPreprocessor):  # type: ignore[misc]
    """Replaces everything in a submitted notebook but the answers by the instructor's."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Restore one notebook; nbgrader calls this."""
        names, coursedir = resources["nbgrader"], self.parent.parent.coursedir
        folder = Path(coursedir.format_path(coursedir.source_directory, ".", names["assignment"]))
        steps = Steps(self.config, Path(coursedir.root))
        return restore(nb, steps.read_source(folder / f"{names['notebook']}.ipynb"), steps), resources


class WriteReport(NbGraderPreprocessor):  # type: ignore[misc]
    """Puts the outputs and the points of a Report into the autograded notebook."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Write one notebook; nbgrader calls this.

        Raises:
            GradebookError: the Report is on something else, or says that there is nothing to grade.
        """
        names = resources["nbgrader"]
        report = self.parent.report_on(names["assignment"], names["student"])
        nb.cells = _executed_cells(report, names, nb)
        tasks = {task.grade_id: task for task in report.tasks if task.notebook == names["notebook"]}
        for cell in filter(is_autograded, nb.cells):
            task = _task_of(cell, tasks, report)
            # Below the table: what tests in the notebook have shown, if students may see it.
            cell.outputs = [_points_output(task, task_table(report, task)), *cell.outputs]
        names["tasks"] = tasks
        if not isinstance(resources.get("outputs"), dict):
            resources["outputs"] = {}
        resources["outputs"]["staff-report.html"] = staff_report(report).encode()
        with Gradebook(names["db_url"]) as gradebook:
            late = gradebook.find_submission(report.assignment, report.student).total_seconds_late
        values = {**staff_json(report), SECONDS_LATE: late}
        resources["outputs"]["staff-report.json"] = json.dumps(values, indent=1).encode()
        return nb, resources


def _executed_cells(report: Report, names: dict[str, str], sanitised: NotebookNode) -> list[NotebookNode]:
    """The cells of the report's notebook, if it is about this very notebook."""
    where = f"submission {names['student']}/{names['assignment']}"
    if (report.student, report.assignment) != (names["student"], names["assignment"]):
        raise GradebookError(f"{where}: got the report on {report.student}/{report.assignment}")
    if report.status != "graded":
        raise GradebookError(f"{where}: {report.error or report.status}")
    if names["notebook"] not in report.notebooks:
        raise GradebookError(f"{where}: the report holds no notebook {names['notebook']!r}")
    executed: list[NotebookNode] = nbformat.from_dict(report.notebooks[names["notebook"]]).cells
    if [(cell.cell_type, cell.source) for cell in executed] != [
        (cell.cell_type, cell.source) for cell in sanitised.cells
    ]:
        raise GradebookError(f"{where}: the notebook changed since it was graded. Grade it again.")
    # Outputs and counts are the report's; all else is what nbgrader has just checked.
    for cell, checked in zip(executed, sanitised.cells, strict=True):
        cell.metadata = checked.metadata
    return executed


def _task_of(cell: NotebookNode, tasks: dict[str, TaskRecord], report: Report) -> TaskRecord:
    """The record of a grade cell: without one, no output would mean full marks to nbgrader."""
    name, points = grade_id_of(cell) or "", float(cell.metadata.nbgrader.points)
    task = tasks.get(name)
    where = f"submission {report.student}/{report.assignment}: task {name}"
    if task is None:
        raise GradebookError(f"{where}: the report does not mention it. Grade it again.")
    if task.max_points != points:
        raise GradebookError(f"{where}: graded with {task.max_points:g} points, now {points:g}. Grade it again.")
    if task.points is not None and not 0 <= task.points <= points:
        raise GradebookError(f"{where}: expected 0 to {points:g} points, got {task.points!r}")
    return task


def _points_output(task: TaskRecord, table: str) -> NotebookNode:
    """The output of a grade cell: nbgrader reads the plain text as points, people read the table."""
    if task.points is None:
        data = {"text/plain": "not graded yet", "text/html": table}
        return nbformat.v4.new_output("display_data", data=data)
    data = {"text/plain": repr(float(task.points)), "text/html": table}
    return nbformat.v4.new_output("execute_result", data=data, execution_count=None)


class SavePoints(SaveAutoGrades):  # type: ignore[misc]
    """Saves the points of a Report; None for a task that waits for the staff."""

    def _add_score(self, cell: NotebookNode, resources: Any) -> None:
        if not is_autograded(cell):
            super()._add_score(cell, resources)
            return
        names, task = resources["nbgrader"], grade_id_of(cell)
        grade = self.gradebook.find_grade(task, names["notebook"], names["assignment"], names["student"])
        grade.auto_score = names["tasks"][task].points
        # As nbgrader has it: a person looks again where a person has decided before.
        grade.needs_manual_grade = grade.auto_score is None or grade.manual_score is not None
        self.gradebook.db.commit()


class AddPublicChecks(NbGraderPreprocessor):  # type: ignore[misc]
    """Puts the public checks, and the modules they may load, beside the released notebook.

    For Colab and the like, ``c.AddPublicChecks.install = "git+https://..."`` in ``nbgrader_config.py`` also
    puts a cell into the notebook that installs tensorgrade from there and writes these files where they are
    missing.
    """

    install = Unicode("", help="What pip shall install where tensorgrade is missing; empty: no such cell.").tag(
        config=True
    )

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Add the files; nbgrader calls this."""
        folder = Path(self.parent.parent.coursedir.root) / "graders" / resources["nbgrader"]["assignment"]
        if not isinstance(resources.get("outputs"), dict):
            resources["outputs"] = {}
        for path in (folder / "test_public.py", *sorted((folder / "worker").glob("*.py"))):
            if path.is_file():
                resources["outputs"][path.relative_to(folder).as_posix()] = path.read_bytes()
        if self.install:
            add_setup_cell(nb, self.install, resources["outputs"])
        return nb, resources
