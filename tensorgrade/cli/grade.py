"""`tensorgrade grade`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tensorgrade.cli.words import complain, course_option, shown
from tensorgrade.course import Assignment, Course, Submission
from tensorgrade.errors import GradebookError, UsageError

if TYPE_CHECKING:
    from tensorgrade.gradebook import Recorder
    from tensorgrade.grading.records import Report, TaskRecord


@click.command()
@click.argument("assignment")
@click.option("--student", "students", multiple=True, metavar="ID", help="Only this student; may be repeated.")
@click.option("--force", is_flag=True, help="Grade again even where nothing has changed since the last time.")
@click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON; - for standard output.")
@course_option
def grade(assignment: str, students: tuple[str, ...], force: bool, json_file: str | None, folder: Path) -> int:
    """Grade the collected submissions of ASSIGNMENT in the sandbox.

    Reads submitted/STUDENT/ASSIGNMENT, writes autograded/STUDENT/ASSIGNMENT and nbgrader's
    gradebook. A submission is graded again only if something that decides its grade has changed: its
    files, the grader, the source notebook, a library. Exits with 0 whatever the grades are; with 1
    if a submission could not be graded or a check is broken.

    \b
    Examples:
      tensorgrade grade attention
      tensorgrade grade attention --student ada --json -
    """
    course = Course.at(folder)
    found = course.assignment(assignment)
    submissions = _chosen(course, found, students)
    if json_file not in (None, "-"):
        _require_writable(Path(str(json_file)))
    reports, complaints = _grade_all(course, found, submissions, force=force)
    if json_file is not None:
        _write_json(found, reports, json_file)
    if json_file != "-":
        Console().print(_table(reports))
    for complaint in complaints:
        complain(complaint)
    return 1 if complaints else 0


def _chosen(course: Course, assignment: Assignment, students: tuple[str, ...]) -> tuple[Submission, ...]:
    """The submissions to grade; a student without one is graded as missing."""
    if students:
        return tuple(Submission(assignment, student) for student in dict.fromkeys(students))
    submissions = course.submissions(assignment)
    if not submissions:
        raise UsageError(f"no submission in {course.root / 'submitted'}/*/{assignment.name}. Collect them first.")
    return submissions


def _grade_all(
    course: Course, assignment: Assignment, submissions: tuple[Submission, ...], *, force: bool
) -> tuple[list[Report], list[str]]:
    """Grade and record each submission before the next; returns the reports and what went wrong."""
    from tensorgrade.fleet import grade_submissions
    from tensorgrade.gradebook import Recorder
    from tensorgrade.grading.grader import Grader
    from tensorgrade.reports import read_staff_json
    from tensorgrade.sandbox.template import Template

    reports, complaints = [], []
    with _progress() as progress, Template() as template:
        bar = progress.add_task("starting", total=len(submissions))
        grader = Grader(assignment, template)
        complaints += [f"graders/{assignment.name}: {check.name} is broken: the reference solution fails it. "
                       f'Task "{check.task}" is left for staff.' for check in grader.broken]  # fmt: skip
        recorder = Recorder(course)

        def kept(submission: Submission) -> Report | None:
            report = None if force else read_staff_json(submission.autograded / "staff-report.json")
            return report if report is not None and recorder.holds(report) else None

        for report in grade_submissions(grader, submissions, kept):
            complaints += _record(recorder, report)
            reports.append(report)
            progress.update(bar, advance=1, description=escape(shown(report.student)))
    return reports, complaints


def _record(recorder: Recorder, report: Report) -> list[str]:
    """Store one report; what goes wrong with one submission does not stop the others."""
    if report.status != "graded":
        return [str(report.error)]
    if report.cached:
        return []
    try:
        recorder.write_report(report)
    except GradebookError as error:
        return [f"{error} (graded, but not in the gradebook)"]
    return []


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


def _write_json(assignment: Assignment, reports: list[Report], file: str) -> None:
    document = {"assignment": assignment.name, "submissions": [report.as_json() for report in reports]}
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    if file == "-":
        sys.stdout.write(text)
        return
    new = Path(f"{file}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(file)  # whole or not at all


def _require_writable(file: Path) -> None:
    """Find out before the grading, not after it, that its result could not be written."""
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise UsageError(f"--json {file}: cannot be written")


def _table(reports: list[Report]) -> Table:
    tasks = list(dict.fromkeys(task.name for report in reports for task in report.tasks))
    table = Table("student", *tasks, "total", "seconds")
    for column in table.columns[1:]:
        column.justify = "right"
    for report in reports:
        by_name = {task.name: task for task in report.tasks}
        cells = [_points(by_name.get(name)) for name in tasks]
        graded = report.status == "graded"
        total = f"{report.points:g} / {report.max_points:g}" if graded else report.status
        table.add_row(
            escape(shown(report.student)), *cells, total, "kept" if report.cached else f"{report.seconds:.2f}"
        )
    return table


def _points(task: TaskRecord | None) -> str:
    if task is None:
        return ""
    if task.points is None:
        return "by hand" if task.manual else "staff"
    return f"{task.points:g} / {task.max_points:g}"
