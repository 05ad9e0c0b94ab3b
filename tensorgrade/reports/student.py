"""What a student may read: each check's sentence, status, points and hint."""

from __future__ import annotations

from dataclasses import dataclass

from tensorgrade.grading.records import CheckRecord, Report, Status, TaskRecord
from tensorgrade.reports.looks import LOOKS, number, templates

BROKEN_SENTENCE = "This check is being looked at by the course staff; it costs you nothing."
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
    return templates().get_template("task.html.j2").render(task=task, verdict=_verdict(task), rows=rows)


def _verdict(task: TaskRecord) -> str:
    if task.points is None:
        return f"not graded yet, the course staff decides ({number(task.max_points)} points possible)"
    return f"{number(task.points)} of {number(task.max_points)} points"


def _row(check: CheckRecord, worth: float) -> Row:
    look = LOOKS[check.status]
    earned = {Status.PASSED: number(worth), Status.BROKEN: "–"}.get(check.status, "0")
    return Row(
        word=look.word,
        symbol=look.symbol,
        colour=look.colour,
        sentence=check.sentence,
        hint=_hint(check),
        hint_label="" if check.status is Status.BROKEN else "Hint:",
        points=f"{earned} / {number(worth)}",
    )


def _hint(check: CheckRecord) -> str | None:
    if check.status is Status.SKIPPED:
        return check.hint or SKIPPED_HINT
    return {Status.PASSED: None, Status.BROKEN: BROKEN_SENTENCE}.get(check.status, check.hint)
