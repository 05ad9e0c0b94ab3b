"""Tries an assignment as a student will: the untouched release, the solution, and mutants."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode

from tensorgrade.authoring.rehearsal import Sample, rehearse_release
from tensorgrade.authoring.traps import find_traps
from tensorgrade.course import Assignment
from tensorgrade.errors import UsageError
from tensorgrade.grading.files import read_files_beside
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import Report, Status
from tensorgrade.notebooks import (
    CellEdits,
    cells_to_run,
    grade_cells,
    grade_id_of,
    read_edits,
    read_notebooks,
    with_edits_anywhere,
    with_outputs,
)
from tensorgrade.public import CHECKS, CheckRefused, read_modules, run_public_checks
from tensorgrade.reports import PracticeRecord
from tensorgrade.sandbox.template import Template
from tensorgrade.student.session import Session

ALL = "all"
UNTOUCHED, SOLUTION = "untouched release", "solution"


@dataclass(frozen=True)
class Trial:
    """What a student sees who has written this.

    Attributes:
        name: of the mutant, or which version it is.
        summary: what is wrong with it, in one sentence; empty if nothing is.
        tasks: by task, the records of its public checks.
        errors: one sentence for each cell that raised or did not end, but for a missing answer.
        refused: one sentence for each `check` that could not run.
        notebooks: by name, as they look after all cells have run.
        report: the grade of it, with the hidden checks, if that was asked for.
    """

    name: str
    summary: str
    tasks: dict[str, tuple[PracticeRecord, ...]]
    errors: tuple[str, ...]
    refused: tuple[str, ...]
    notebooks: dict[str, NotebookNode]
    report: Report | None = None


@dataclass(frozen=True)
class Preview:
    """All that an instructor should look at before a release.

    Attributes:
        warnings: what is to mend, one sentence each.
        trials: the untouched release, the solution, then the mutants.
    """

    assignment: str
    title: str
    warnings: tuple[str, ...]
    trials: tuple[Trial, ...]
    release: tuple[str, ...]


def preview_assignment(assignment: Assignment, template: Template, mutants: Sequence[str] = ()) -> Preview:
    """Generate the student version apart and try it; nothing of the course is changed.

    Args:
        assignment: as it stands in ``source/`` and ``graders/``.
        template: forks the workers: the solution runs in the sandbox, as at grading.
        mutants: names of mutants to try as well, or ``all``; those named get a sample of the feedback.

    Raises:
        UsageError: there is no such mutant.
        GraderError, GradebookError: the assignment cannot be graded or released as it is written.
    """
    chosen = _mutants(assignment, mutants)
    with tempfile.TemporaryDirectory() as folder:
        release = rehearse_release(assignment, Path(folder))
        stage = _Stage(assignment, template, release)
        source = read_notebooks(assignment.source)
        untouched = stage.try_out(UNTOUCHED, read_notebooks(release))
        solution = stage.try_out(SOLUTION, source)
        others = [stage.try_out(edits.file.stem, with_edits_anywhere(source, edits), edits.summary) for edits in chosen]
        grader = Grader(assignment, template)
        graded = [stage.graded(trial, grader) for trial in (untouched, *(others if ALL not in mutants else ()))]
        left = others if ALL in mutants else []
        trials = (graded[0], solution, *graded[1:], *left)
        warnings = [*find_traps(assignment, release), *_what_went_wrong(graded[0], solution)]
        warnings += [f"the solution fails the check {record.name!r}: {record.rationale}" for record in grader.broken]
        files = tuple(sorted(path.relative_to(release).as_posix() for path in release.rglob("*") if path.is_file()))
    title = str(assignment.settings.get("title", assignment.name))
    return Preview(assignment.name, title, tuple(dict.fromkeys(warnings)), trials, files)


class _Stage:
    """Runs versions of an assignment's notebooks, each in workers of its own."""

    def __init__(self, assignment: Assignment, template: Template, release: Path) -> None:
        self._assignment = assignment
        self._template = template
        self._release = release
        self._files = read_files_beside(release, assignment.limits)
        self._instructor = read_modules(release)

    def try_out(self, name: str, notebooks: Mapping[str, NotebookNode], summary: str = "") -> Trial:
        """Run every cell, and `check` for every task."""
        tasks: dict[str, tuple[PracticeRecord, ...]] = {}
        errors, refused, executed = list[str](), list[str](), dict[str, NotebookNode]()
        for stem, notebook in notebooks.items():
            sources = [cell.source for cell in cells_to_run(notebook)]
            limits, instructor = self._assignment.limits, self._instructor
            with Session(self._template, sources, self._files, limits, instructor=instructor) as session:
                for task in (cell.name for cell in grade_cells(notebook, stem) if not cell.manual):
                    try:
                        tasks |= run_public_checks(task, session, self._release / CHECKS)
                    except CheckRefused as error:
                        refused.append(f'{stem}.ipynb: check("{task}"): {error}')
                errors += _errors(notebook, stem, session)
                executed[stem] = _executed(notebook, session)
        return Trial(name, summary, tasks, tuple(errors), tuple(refused), executed)

    def graded(self, trial: Trial, grader: Grader) -> Trial:
        """The trial with its grade: public and hidden checks."""
        with tempfile.TemporaryDirectory() as folder:
            for name, notebook in trial.notebooks.items():
                nbformat.write(notebook, Path(folder, f"{name}.ipynb"))
            return replace(trial, report=grader.grade(Sample(self._assignment, trial.name, Path(folder))))


def _mutants(assignment: Assignment, names: Iterable[str]) -> list[CellEdits]:
    known = {path.stem: path for path in sorted((assignment.graders / "mutants").glob("*.py"))}
    wanted = list(known) if ALL in names else list(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3, cutoff=0.4) or list(known)[:3]
            raise UsageError(
                f"graders/{assignment.name}/mutants: no mutant {name!r}. Near: {', '.join(near) or 'none'}."
            )
    return [read_edits(known[name]) for name in wanted]


def _errors(notebook: NotebookNode, stem: str, session: Session) -> Iterator[str]:
    for position, cell in enumerate(cells_to_run(notebook)):
        name = grade_id_of(notebook.cells[cell.index])
        place = f"{stem}.ipynb, cell {name!r}" if name else f"{stem}.ipynb, In [{position + 1}]"
        if position in session.lost:
            yield f"{place}: {session.lost[position]}"
        for output in session.outputs.get(position, []):
            if output.get("output_type") == "error" and output.get("ename") != "NotImplementedError":
                yield f"{place}: {output.get('ename')}: {str(output.get('evalue'))[:200]}"


def _executed(notebook: NotebookNode, session: Session) -> NotebookNode:
    cells = cells_to_run(notebook)
    outputs: dict[int, list[dict[str, Any]]] = {cells[at].index: found for at, found in session.outputs.items()}
    return with_outputs(notebook, outputs)


def _what_went_wrong(untouched: Trial, solution: Trial) -> Iterator[str]:
    """What the trials say about the assignment, one sentence each."""
    yield from untouched.refused
    yield from (f"{error} (in the untouched release)" for error in untouched.errors)
    yield from (f"{error} (with the solution)" for error in solution.errors)
    for task, checks in solution.tasks.items():
        for record in checks:
            if record.status is not Status.PASSED:
                yield f"task {task!r}: the solution fails the public check {record.name!r}: {record.hint}"
    if untouched.report is not None:
        for check in untouched.report.checks:
            if check.status is Status.PASSED:
                yield f"task {check.task!r}: the untouched release passes the check {check.name!r}: points for nothing"
