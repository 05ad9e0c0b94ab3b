"""How a status and a number look, the same in every report."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from tensorgrade.grading.records import CheckRecord, Status


@dataclass(frozen=True)
class Look:
    """A status in a word, a symbol and a colour, so that none of them is needed to understand it."""

    word: str
    symbol: str
    colour: str


# A contrast of at least 4.5 on white (ref: WCAG 2.2, 1.4.3); the tables of a task mix them with the text.
LOOKS = {
    Status.PASSED: Look("passed", "✓", "#1a7f37"),
    Status.FAILED: Look("failed", "✗", "#cf222e"),
    Status.SKIPPED: Look("skipped", "→", "#59636e"),
    Status.BROKEN: Look("not graded", "!", "#8a5a00"),
}
AWARDED = Look("awarded", "✓", "#1a7f37")  # whatever the check itself says


def number(value: float) -> str:
    """Points as people write them: 2, 0.5, 1.33."""
    return f"{round(value, 2):g}" if abs(value) < 1e5 else f"{value:.0f}"


def measured_with(check: CheckRecord) -> str:
    """How often a check that trains has done so; nothing for one that does not."""
    return f"measured with {check.seeds_used} seed{'' if check.seeds_used == 1 else 's'}" if check.seeds_used else ""


@functools.cache
def templates() -> Environment:
    """The templates of the reports; everything put into them is escaped."""
    loader = PackageLoader("tensorgrade.reports")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters["number"] = number
    environment.filters["measured_with"] = measured_with
    return environment
