"""`tensorgrade calibrate`."""

from __future__ import annotations

import math
import os
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from tensorgrade.cli.words import course_option, progress, shown
from tensorgrade.course import Assignment, Course

if TYPE_CHECKING:
    from tensorgrade.authoring import Calibration

CHANCE = click.FloatRange(1e-6, 0.2)


@click.command()
@click.argument("assignment")
@click.option("--seeds", type=click.IntRange(5, 200), default=20, show_default=True, metavar="N", help="Runs of each.")
@click.option(
    "--alpha", type=CHANCE, default=0.001, show_default=True, help="Largest chance to fail a correct solution."
)
@click.option("--beta", type=CHANCE, default=0.01, show_default=True, help="Largest chance to pass a wrong one.")
@click.option(
    "--workers", type=click.IntRange(1, 256), metavar="N", help="Run N at a time. Default: one for each core."
)
@click.option("--check", "checks", is_flag=True, help="Only say whether the stored calibration still holds.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Where to write the page."
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@course_option
def calibrate(folder: Path, assignment: str, *, checks: bool, opens: bool, **given: object) -> int:
    """Find the thresholds of the checks of ASSIGNMENT that train.

    Runs the solution, the correct variants and the mutants that name such a check, each with N seeds, and proposes
    for each value (an accuracy, say) that a check measures with the fixture `calibrated`: the threshold, and how many
    seeds may be needed, so that a correct solution fails with a chance of at most --alpha and a wrong one passes with
    at most --beta.

    Writes graders/ASSIGNMENT/calibration.toml, which every grading reads (commit it), and a page that shows the
    distributions (build/calibration/ASSIGNMENT.html in the course). Ctrl-C loses no run that has ended: the same
    command goes on from there. Exits with 1, and stores nothing, if right and wrong cannot be told apart.

    \b
    Examples:
      tensorgrade calibrate attention
      tensorgrade calibrate attention --seeds 40 --alpha 0.0005
      tensorgrade calibrate attention --check
    """
    course = Course.at(folder)
    found = course.assignment(assignment)
    return _check(found) if checks else _calibrate(found, opens=opens, **given)  # type: ignore[arg-type]


def _check(assignment: Assignment) -> int:
    from tensorgrade.authoring import find_measured, find_unsupported

    problems = list(find_unsupported(assignment))
    for problem in problems:
        click.echo(shown(problem))
    if not problems:
        measures = (
            "the calibration supports its thresholds" if find_measured(assignment) else "no check measures a value"
        )
        click.echo(f"{assignment.name}: {measures}")
    return 1 if problems else 0


def _calibrate(
    assignment: Assignment,
    *,
    seeds: int,
    alpha: float,
    beta: float,
    workers: int | None,
    output: Path | None,
    opens: bool,
) -> int:
    from tensorgrade.authoring import Plan, calibrate_assignment, calibration_page, write_calibrations
    from tensorgrade.fleet import LocalProcesses

    with LocalProcesses(workers or len(os.sched_getaffinity(0))) as executor, progress() as tell:
        found = calibrate_assignment(assignment, executor, Plan(seeds, alpha, beta), tell=tell)
    path = output or assignment.course.root / "build" / "calibration" / f"{assignment.name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(calibration_page(assignment, found), encoding="utf-8")
    _show(found)
    problems = [problem for one in found for problem in one.problems()]
    for problem in problems:
        click.echo(f"to mend: {shown(problem)}")
    if not problems:
        write_calibrations(assignment, found)
        click.echo(str(assignment.calibration_file))
    click.echo(str(path))
    if opens:
        webbrowser.open(path.resolve().as_uri())
    return 1 if problems else 0


def _show(found: Sequence[Calibration]) -> None:
    for one in found:
        table = Table(title=f"{one.name}, measured by {one.check}")
        for column in ("submission", "expected", "runs", "mean", "spread", "lowest", "highest"):
            table.add_column(column, justify="left" if column in ("submission", "expected") else "right")
        for group in one.groups:
            numbers = [group.mean, group.spread, *((min(group.values), max(group.values)) if group.values else ())]
            words = ["–" if math.isnan(number) else f"{number:.4g}" for number in numbers]
            table.add_row(group.name, "passes" if group.is_right else "fails", str(len(group.values)), *words)
        Console().print(table)
        for sentence in one.statements():
            click.echo(shown(sentence))
        for remark in one.remarks():
            click.echo(f"note: {shown(remark)}")
