"""What a student may read: each check's sentence, status, points and hint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tensorgrade.grading.records import CheckRecord, Report, Status, TaskRecord
from tensorgrade.reports.looks import AWARDED, LOOKS, Look, measured_with, number, templates

BROKEN_SENTENCE = "This check is being looked at by the course staff; it costs you nothing."
AWARDED_SENTENCE = "Everybody gets these points:"
FAKEABLE_NOTE = (
    "These tests ran inside the process of the submitted code, which can fake their verdict; "
    "the course staff may look at it again."
)
SKIPPED_HINT = "This builds on another task. Mend that one first, then this check can run."


@dataclass(frozen=True)
class Row:
    """One line of the table. It has no field for what only staff may read."""

    word: str
    symbol: str
    colour: str
    sentence: str
    hint: str | None
    hint_label: str
    points: str
    measured: str = ""
    trace: tuple[str, ...] = ()
    printed: str = ""
    place: str = ""


@dataclass(frozen=True)
class PracticeRecord(CheckRecord):
    """How a public check ended in the student's own notebook, where nothing is hidden.

    Attributes:
        trace: the student's own lines, outermost first, each with its place.
        printed: what the student's code printed during the check.
        place: where the check can be read.
    """

    trace: tuple[str, ...] = ()
    printed: str = ""
    place: str = ""


def task_table(report: Report, task: TaskRecord) -> str:
    """The table that stands in the place of a grade cell, as HTML.

    No rationale, seed, metric, path or name of a check is in it.
    """
    checks = report.checks_of(task.name)
    weight = sum(check.weight for check in checks)
    rows = [_row(check, task.max_points * check.weight / weight if weight else 0.0) for check in checks]
    note = FAKEABLE_NOTE if report.fakeable else None
    return _table(task.name, _verdict(task), rows, with_points=True, note=note)


def practice_html(tasks: Mapping[str, Sequence[PracticeRecord]]) -> str:
    """The report on public checks in the student's own notebook, as HTML: a table for each task.

    Of several tasks there is a list first, and a table for those that do not pass.
    """
    tables = [_table(name, _count(checks), list(map(_practice_row, checks))) for name, checks in _to_show(tasks)]
    if len(tasks) > 1:
        summary = [(name, _look(checks), _count(checks)) for name, checks in tasks.items()]
        template = templates().get_template("tasks.html.j2")
        tables.insert(0, template.render(verdict=_count_tasks(tasks), tasks=summary))
    return "\n".join(tables)


def practice_text(tasks: Mapping[str, Sequence[PracticeRecord]]) -> str:
    """The same report as plain text."""
    lines = []
    if len(tasks) > 1:
        lines = [_count_tasks(tasks)]
        for name, checks in tasks.items():
            lines.append(f"  {_look(checks).symbol} {_look(checks).word}: {name}, {_count(checks)}")
    for name, checks in _to_show(tasks):
        lines += [*([""] if lines else []), f"{name}: {_count(checks)}"]
        for row in map(_practice_row, checks):
            lines.append(f"  {row.symbol} {row.word}: {row.sentence}")
            lines += [f"      {line}" for line in _details(row)]
    return "\n".join(lines)


def _details(row: Row) -> list[str]:
    lines = [*(row.hint or "").splitlines(), *(f"  {line}" for line in row.trace)]
    if row.printed:
        lines += ["Your code printed:", *(f"  {line}" for line in row.printed.splitlines())]
    return [*lines, *([f"The check: {row.place}"] if row.place else [])]


def _to_show(tasks: Mapping[str, Sequence[PracticeRecord]]) -> list[tuple[str, Sequence[PracticeRecord]]]:
    return [(name, checks) for name, checks in tasks.items() if len(tasks) == 1 or not has_passed(checks)]


def has_passed(checks: Sequence[CheckRecord]) -> bool:
    """Whether a task has checks, and all of them pass."""
    return bool(checks) and all(check.status is Status.PASSED for check in checks)


def _look(checks: Sequence[CheckRecord]) -> Look:
    return LOOKS[Status.PASSED if has_passed(checks) else Status.FAILED]


def _count_tasks(tasks: Mapping[str, Sequence[CheckRecord]]) -> str:
    return f"{sum(map(has_passed, tasks.values()))} of {len(tasks)} tasks pass their public checks"


def _practice_row(check: PracticeRecord) -> Row:
    row = _row(check, 0.0)
    if check.status is Status.PASSED:
        return row
    return replace(row, trace=check.trace, printed=check.printed, place=check.place)


def _table(name: str, verdict: str, rows: list[Row], *, with_points: bool = False, note: str | None = None) -> str:
    template = templates().get_template("task.html.j2")
    return template.render(name=name, verdict=verdict, rows=rows, with_points=with_points, note=note)


def _count(checks: Sequence[CheckRecord]) -> str:
    passed = sum(check.status is Status.PASSED for check in checks)
    return f"{passed} of {len(checks)} public checks pass"


def _verdict(task: TaskRecord) -> str:
    if task.points is None:
        return f"not graded yet, the course staff decides ({number(task.max_points)} points possible)"
    return f"{number(task.points)} of {number(task.max_points)} points"


def _row(check: CheckRecord, worth: float) -> Row:
    look = AWARDED if check.awarded else LOOKS[check.status]
    earned = {Status.PASSED: number(worth), Status.BROKEN: "–"}.get(check.status, "0")
    if check.counts or check.points is not None:
        earned = number(worth if check.counts else check.points or 0.0)
    return Row(
        word=look.word,
        symbol=look.symbol,
        colour=look.colour,
        sentence=check.sentence,
        hint=_hint(check),
        hint_label="" if check.awarded or check.status is Status.BROKEN else "Hint:",
        points=f"{earned} / {number(worth)}",
        measured=measured_with(check),
    )


def _hint(check: CheckRecord) -> str | None:
    if check.awarded:
        return f"{AWARDED_SENTENCE} {check.awarded}"
    if check.status is Status.SKIPPED:
        return check.hint or SKIPPED_HINT
    return {Status.PASSED: None, Status.BROKEN: BROKEN_SENTENCE}.get(check.status, check.hint)
