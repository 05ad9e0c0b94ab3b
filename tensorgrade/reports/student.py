"""What a student may read: each check's sentence, status, points and hint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tensorgrade.grading.records import CheckRecord, Report, Status, TaskRecord
from tensorgrade.reports.looks import AWARDED, LOOKS, number, templates

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


def task_table(report: Report, task: TaskRecord) -> str:
    """The table that stands in the place of a grade cell, as HTML.

    No rationale, seed, metric, path or name of a check is in it.
    """
    checks = report.checks_of(task.name)
    weight = sum(check.weight for check in checks)
    rows = [_row(check, task.max_points * check.weight / weight if weight else 0.0) for check in checks]
    note = FAKEABLE_NOTE if report.fakeable else None
    return _table(task.name, _verdict(task), rows, with_points=True, note=note)


def practice_html(task: str, checks: Sequence[CheckRecord]) -> str:
    """The report on a task's public checks in the student's own notebook, as HTML."""
    return _table(task, _count(checks), [_row(check, 0.0) for check in checks], with_points=False)


def practice_text(task: str, checks: Sequence[CheckRecord]) -> str:
    """The same report as plain text."""
    lines = [f"{task}: {_count(checks)}"]
    for row in (_row(check, 0.0) for check in checks):
        lines.append(f"  {row.symbol} {row.word}: {row.sentence}")
        lines += [f"      {line}" for line in (row.hint or "").splitlines()]
    return "\n".join(lines)


def _table(name: str, verdict: str, rows: list[Row], *, with_points: bool, note: str | None = None) -> str:
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
    )


def _hint(check: CheckRecord) -> str | None:
    if check.awarded:
        return f"{AWARDED_SENTENCE} {check.awarded}"
    if check.status is Status.SKIPPED:
        return check.hint or SKIPPED_HINT
    return {Status.PASSED: None, Status.BROKEN: BROKEN_SENTENCE}.get(check.status, check.hint)
