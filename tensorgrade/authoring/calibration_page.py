"""Writes the calibrations of an assignment as one HTML page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from tensorgrade.authoring.calibration import Calibration, Group
from tensorgrade.course import Assignment
from tensorgrade.reports.looks import templates

LEFT, RIGHT, TOP = 190, 730, 130  # of the plot, in units of the picture
ROW = 26
CURVE_POINTS = 120
TICKS = 6


@dataclass(frozen=True)
class Row:
    """One group in the picture.

    Attributes:
        group: its runs.
        y: of its line.
        dots: x and y of each run.
        curve: the normal density with the group's mean and spread, as a path; empty where it has none.
    """

    group: Group
    y: float
    dots: tuple[tuple[float, float], ...]
    curve: str


@dataclass(frozen=True)
class Picture:
    """Both distributions and the threshold between them, in units of the picture.

    Attributes:
        rows: the groups, correct ones first.
        height: of the whole.
        ticks: x and label on the axis.
        threshold: its x.
        clear: x of the values that are a clear verdict after one seed: failed, passed; none where one seed decides.
    """

    rows: tuple[Row, ...]
    height: float
    ticks: tuple[tuple[float, str], ...]
    threshold: float | None
    clear: tuple[float, ...]


def calibration_page(assignment: Assignment, calibrations: Sequence[Calibration]) -> str:
    """One page that needs no file beside it."""
    return (
        templates()
        .get_template("calibration.html.j2")
        .render(
            assignment=assignment.name,
            title=str(assignment.settings.get("title", assignment.name)),
            parts=[(one, draw(one), list(one.problems())) for one in calibrations],
            left=LEFT,
            right=RIGHT,
            top=TOP,
        )
    )


def draw(calibration: Calibration) -> Picture:
    """The picture of a calibration."""
    values = [value for group in calibration.groups for value in group.values]
    rule = calibration.rule
    limits = [rule.threshold] if rule else []
    if rule and rule.most_seeds > 1:
        limits += [
            rule.threshold - rule.clear_fail * _sign(calibration),
            rule.threshold + rule.clear_pass * _sign(calibration),
        ]
    low, high = min([*values, *limits]), max([*values, *limits])
    margin = 0.05 * (high - low) or 0.5
    low, high = low - margin, high + margin

    def x(value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (value - low) / (high - low), 1)

    span = (low, high)
    tallest = max((_density(group).pdf(group.mean) for group in calibration.groups if _has_curve(group)), default=1.0)
    rows = []
    for number, group in enumerate(calibration.groups):
        y = TOP + ROW * (number + 1)
        dots = tuple((x(value), y + 3 * ((place % 3) - 1)) for place, value in enumerate(group.values))
        rows.append(Row(group, y, dots, _curve(group, span, tallest)))
    ticks = tuple((x(value), f"{value:.4g}") for value in _round_numbers(low, high))
    places = [x(value) for value in limits]
    return Picture(
        tuple(rows), TOP + ROW * (len(rows) + 1) + 40, ticks, places[0] if places else None, tuple(places[1:])
    )


def _sign(calibration: Calibration) -> float:
    return -1.0 if calibration.higher_is_better is False else 1.0


def _has_curve(group: Group) -> bool:
    return len(group.values) > 1 and group.spread > 0


def _density(group: Group) -> NormalDist:
    return NormalDist(group.mean, group.spread)


def _curve(group: Group, span: tuple[float, float], tallest: float) -> str:
    """The path of a group's normal density, which fills the space above the rows."""
    if not _has_curve(group):
        return ""
    density, (low, high) = _density(group), span
    points = []
    for place in range(CURVE_POINTS + 1):
        share = place / CURVE_POINTS
        height = math.sqrt(density.pdf(low + share * (high - low)) / tallest)  # the root: low curves stay visible
        points.append(f"{LEFT + share * (RIGHT - LEFT):.1f},{TOP - (TOP - 20) * height:.1f}")
    return f"M{LEFT},{TOP} L" + " L".join(points) + f" L{RIGHT},{TOP} Z"


def _round_numbers(low: float, high: float) -> list[float]:
    """About six numbers between two others that are easy to read."""
    rough = (high - low) / TICKS
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    return [round(number * step, 12) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
