"""Writes the calibrations of an assignment as one HTML page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from tensorgrade.authoring.calibration import Calibration, Group
from tensorgrade.course import Assignment
from tensorgrade.reports.looks import templates

LEFT, RIGHT, TOP = 215, 745, 130  # of the plot, in units of the picture
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
    """

    group: Group
    y: float
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Picture:
    """Both distributions and the threshold between them, in units of the picture.

    Attributes:
        rows: the groups, correct ones first.
        curves: normal densities: whether of correct solutions, which have one together, and the path.
        height: of the whole.
        ticks: x and label on the axis.
        threshold: its x.
        clear: x of the values that are a clear verdict after one seed: failed, passed; none where one seed decides.
    """

    rows: tuple[Row, ...]
    curves: tuple[tuple[bool, str], ...]
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

    rows = []
    for number, group in enumerate(calibration.groups):
        y = TOP + ROW * (number + 1)
        rows.append(
            Row(group, y, tuple((x(value), y + 3 * (place % 3 - 1)) for place, value in enumerate(group.values)))
        )
    return Picture(
        rows=tuple(rows),
        curves=_curves(calibration, low, high),
        height=TOP + ROW * (len(rows) + 1) + 40,
        ticks=tuple((x(value), f"{value:.4g}") for value in _round_numbers(low, high)),
        threshold=x(limits[0]) if limits else None,
        clear=tuple(map(x, limits[1:])),
    )


def _sign(calibration: Calibration) -> float:
    return -1.0 if calibration.higher_is_better is False else 1.0


def _curves(calibration: Calibration, low: float, high: float) -> tuple[tuple[bool, str], ...]:
    """The normal densities with the means and spreads of the runs, in the space above the rows."""
    right = Group("", calibration.right, is_right=True)
    groups = [group for group in (right, *calibration.wrong) if len(group.values) > 1 and group.spread > 0]
    densities = [NormalDist(group.mean, group.spread) for group in groups]
    tallest = max((density.pdf(density.mean) for density in densities), default=1.0)
    places = [place / CURVE_POINTS for place in range(CURVE_POINTS + 1)]
    found = []
    for group, density in zip(groups, densities, strict=True):
        # The root of the density: low curves stay visible.
        heights = [math.sqrt(density.pdf(low + share * (high - low)) / tallest) for share in places]
        points = [
            f"{LEFT + share * (RIGHT - LEFT):.1f},{TOP - (TOP - 20) * height:.1f}"
            for share, height in zip(places, heights, strict=True)
        ]
        found.append((group.is_right, f"M{LEFT},{TOP} L" + " L".join(points) + f" L{RIGHT},{TOP} Z"))
    return tuple(found)


def _round_numbers(low: float, high: float) -> list[float]:
    """About six numbers between two others that are easy to read."""
    rough = (high - low) / TICKS
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    return [round(number * step, 12) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
