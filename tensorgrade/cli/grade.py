"""`tensorgrade grade`."""

from __future__ import annotations

import gc
import json
import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tensorgrade.cli.interrupts import Interrupts
from tensorgrade.cli.words import complain, course_option, progress_bar, sandbox_option, shown, warn
from tensorgrade.course import Assignment, Course, Submission
from tensorgrade.errors import GradebookError, UsageError
from tensorgrade.sandbox.levels import NONE, UNCONFINED, Level

WIDE = 200  # columns
WORTH_A_PROCESS = 20  # submissions: with its template it needs about five seconds before it can help

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tensorgrade.fleet import LocalProcesses
    from tensorgrade.gradebook import Recorder
    from tensorgrade.grading.records import CheckRecord, Report, TaskRecord
    from tensorgrade.sandbox.template import Template


@click.command()
@click.argument("assignment")
@click.option("--student", "students", multiple=True, metavar="ID", help="Only this student; may be repeated.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    metavar="N",
    help="Grade N submissions at a time. Without it: one for each core that this process may use, and one for few "
    "submissions, because another process needs about five seconds before it can help. The grades do not depend on N.",
)
@click.option("--force", is_flag=True, help="Grade again even where nothing has changed since the last time.")
@sandbox_option(
    "How student code is confined. pod: in a container that forbids namespaces. none: not at all; every report "
    "says so. A level that this machine cannot enforce is refused; see `tensorgrade doctor`."
)
@click.option("--json", "json_file", metavar="FILE", help="Write the result as JSON; - for standard output.")
@course_option
def grade(
    assignment: str,
    students: tuple[str, ...],
    workers: int | None,
    force: bool,
    level: Level,
    json_file: str | None,
    folder: Path,
) -> int:
    """Grade the collected submissions of ASSIGNMENT in the sandbox.

    Reads submitted/STUDENT/ASSIGNMENT, writes autograded/STUDENT/ASSIGNMENT and nbgrader's
    gradebook. A submission is graded again only if something that decides its grade has changed: its
    files, the grader, the source notebook, a library. Exits with 0 whatever the grades are; with 1
    if a submission could not be graded or a check is broken. Ctrl-C stops at once; what was graded
    stays, and the same command goes on from there.

    \b
    Examples:
      tensorgrade grade attention
      tensorgrade grade attention --workers 4
      tensorgrade grade attention --student ada --json -
    """
    course = Course.at(folder)
    found = course.assignment(assignment)
    submissions = _chosen(course, found, students)
    if json_file not in (None, "-"):
        _require_writable(Path(str(json_file)))
    if level is NONE:
        warn(UNCONFINED)
    run = _Run(found, level, force=force, workers=workers)
    run.grade(submissions)
    if json_file != "-":
        # A file or a pipe has no width, and a table of many tasks must not be folded in it.
        Console(width=None if sys.stdout.isatty() else WIDE).print(_table(run.reports))
    if json_file is not None:
        run.complaints += _write_json(found, run.reports, json_file)
    for complaint in run.complaints:
        complain(complaint)
    return 1 if run.complaints else 0


def _chosen(course: Course, assignment: Assignment, students: tuple[str, ...]) -> tuple[Submission, ...]:
    """The submissions to grade; a student without one is graded as missing."""
    if students:
        for student in students:
            if "/" in student or student in ("", ".", ".."):
                raise UsageError(f"--student {student!r}: expected the name of a folder in {course.root / 'submitted'}")
        return tuple(Submission(assignment, student) for student in dict.fromkeys(students))
    submissions = course.submissions(assignment)
    if not submissions:
        raise UsageError(f"no submission in {course.root / 'submitted'}/*/{assignment.name}. Collect them first.")
    return submissions


def _processes_for(submissions: int, workers: int | None) -> int:
    """How many to grade at a time; where nobody says, one for each core, and one for few submissions."""
    if workers is None:
        return max(1, min(len(os.sched_getaffinity(0)), submissions // WORTH_A_PROCESS))
    return max(1, min(workers, submissions))


@dataclass(frozen=True)
class _Means:
    """What grades: the template of this process, and an executor where several are graded at a time."""

    template: Template
    executor: LocalProcesses | None = None


@contextmanager
def _ready(processes: int, level: Level) -> Iterator[_Means]:
    """Start what grades, before anything that a fork should not have is open."""
    if processes == 1:
        from tensorgrade.sandbox.template import Template

        with Template(level) as template:  # it starts while this process imports the rest
            yield _Means(template)
        return
    import tensorgrade.gradebook  # noqa: F401  # the processes are forks and need not import it again
    from tensorgrade.fleet import LateTemplate, LocalProcesses

    with LocalProcesses(processes, level) as executor, LateTemplate(level) as template:
        yield _Means(template, executor)


class _Run:
    """One run of the command: what was graded so far, and what went wrong."""

    def __init__(self, assignment: Assignment, level: Level, *, force: bool, workers: int | None) -> None:
        self.reports: list[Report] = []
        self.complaints: list[str] = []
        self._assignment = assignment
        self._level = level
        self._force = force
        self._workers = workers
        self._interrupts = Interrupts.current()

    def grade(self, submissions: tuple[Submission, ...]) -> None:
        """Grade the submissions; each is recorded as soon as it is there."""
        order = {submission.student: number for number, submission in enumerate(submissions)}
        with (
            _ready(_processes_for(len(submissions), self._workers), self._level) as means,
            _locked(self._assignment),
            progress_bar() as progress,
        ):
            complaints: list[tuple[int, str]] = []
            bar = progress.add_task("starting", total=len(submissions), problems="")
            recorder = _recorder(self._assignment)
            gc.freeze()  # what has been imported stays: to look at it again and again costs a twentieth of a submission
            for report in self._graded(submissions, means, recorder):
                with self._interrupts.held():
                    complaints += [(order[report.student], complaint) for complaint in _record(recorder, report)]
                # What is recorded is on the disk: all executed notebooks of a large class need not be kept here.
                self.reports.append(replace(report, notebooks={}, kept={}))
                problems = f"[red]{len(complaints)} problems" if complaints else ""
                progress.update(bar, advance=1, description=escape(shown(report.student)), problems=problems)
        self.complaints += [complaint for _, complaint in sorted(complaints)]
        self.reports.sort(key=lambda report: order[report.student])

    def _graded(self, submissions: tuple[Submission, ...], means: _Means, recorder: Recorder) -> Iterator[Report]:
        from tensorgrade.fleet import grade_everywhere, grade_submissions, reference_verdicts
        from tensorgrade.grading.grader import Grader
        from tensorgrade.grading.records import Status

        kept = {} if self._force else _kept(self._assignment, submissions, means.template, recorder)
        waiting = [submission for submission in submissions if submission.student not in kept]
        yield from kept.values()
        if not waiting:  # the reference solution need not run: the reports say what it fails
            checks = [check for report in kept.values() for check in report.checks]
            self.complaints += _broken(self._assignment, (check for check in checks if check.status is Status.BROKEN))
            return
        processes = _processes_for(len(waiting), self._workers)
        if means.executor is None or processes == 1:
            grader = Grader(self._assignment, means.template)
            reports = grade_submissions(grader, waiting, lambda _: None, afresh=self._force)
        else:
            verdicts = reference_verdicts(means.executor, processes, self._assignment, self._level)
            grader = Grader(self._assignment, means.template, verdicts)
            reports = grade_everywhere(means.executor, processes, grader, waiting, afresh=self._force)
        self.complaints += _broken(self._assignment, grader.broken)
        yield from reports


def _kept(
    assignment: Assignment, submissions: tuple[Submission, ...], template: Template, recorder: Recorder
) -> dict[str, Report]:
    """By student, the reports of earlier runs that still hold."""
    from tensorgrade.grading.grader import Grader
    from tensorgrade.reports import read_staff_json

    keys = Grader(assignment, template, reference=())  # asked for keys only: nothing is run
    kept = {}
    for submission in submissions:
        report = read_staff_json(submission.autograded / "staff-report.json")
        with suppress(OSError):  # a file that cannot be read: the report will say so
            if report is not None and report.key == keys.key(submission) and recorder.holds(report):
                kept[submission.student] = replace(report, cached=True)
    return kept


def _recorder(assignment: Assignment) -> Recorder:
    from tensorgrade.gradebook import Recorder

    recorder = Recorder(assignment.course)
    recorder.prepare(assignment.name)  # what cannot be written is found out before the work
    return recorder


@contextmanager
def _locked(assignment: Assignment) -> Iterator[None]:
    from tensorgrade.fleet import course_lock

    with course_lock(assignment.course, f"tensorgrade grade {assignment.name}"):
        yield


def _broken(assignment: Assignment, checks: Iterable[CheckRecord]) -> list[str]:
    """A sentence for each check."""
    where, why = f"graders/{assignment.name}", "is broken: the reference solution fails it"
    said = (f'{where}: {check.name} {why}. Task "{check.task}" is left for staff.' for check in checks)
    return list(dict.fromkeys(said))


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


def _write_json(assignment: Assignment, reports: list[Report], file: str) -> list[str]:
    """Write the result whole or not at all; returns what went wrong."""
    document = {"assignment": assignment.name, "submissions": [report.as_json() for report in reports]}
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    if file == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
        return []
    new = Path(f"{file}.new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        return [f"--json {file}: {error.strerror}. Everything else is recorded; run this again to get the file."]
    return []


def _require_writable(file: Path) -> None:
    """Find out before the grading, not after it, that its result could not be written."""
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise UsageError(f"--json {file}: cannot be written")


def _table(reports: list[Report]) -> Table:
    tasks = {task.name: task.max_points for report in reports for task in report.tasks}
    table = Table("student", *(f"{name}\nof {most:g}" for name, most in tasks.items()), "total", "seconds")
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
    return f"{task.points:g}"
