"""`tensorgrade passback`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from tensorgrade.cli.hub_course import connected, hub_course, hub_options, state_option
from tensorgrade.cli.words import complain, course_option, shown
from tensorgrade.course import Course
from tensorgrade.errors import UsageError

if TYPE_CHECKING:
    from tensorgrade.lms.passback import Score

WIDE = 200  # columns, where there is no terminal


@click.command()
@click.argument("assignment")
@click.option("--dry-run", is_flag=True, help="Only show what would be sent.")
@hub_options
@state_option
@course_option
def passback(assignment: str, dry_run: bool, hub: Path, name: str | None, state: Path | None, folder: Path) -> int:
    """Send the grades of ASSIGNMENT to the LMS (LTI assignments and grades).

    Makes the column in the LMS's gradebook if it is not there, and sends each total that the LMS does not
    have yet; a second run sends nothing. Who is not graded completely is left out and named. Exits
    with 1 if the LMS has refused a grade.

    \b
    Examples:
      tensorgrade passback attention --dry-run
      tensorgrade passback attention
      tensorgrade passback attention --hub /srv/hub --name dl101 --state /srv/hub-state
    """
    from tensorgrade.lms.grades import read_grades
    from tensorgrade.lms.passback import Fate, Passback

    course = Course.at(folder)
    known = hub_course(hub, name, course)
    grades = read_grades(course, [assignment])
    if not grades:
        raise UsageError("the gradebook has no students. Bring them with `tensorgrade roster sync`")
    if grades[0].max_points <= 0:
        raise UsageError(f"{assignment} gives no points, so there is nothing to send")
    with connected(hub, state, known) as lms:
        column = Passback(lms.service, lms.services, assignment, grades[0].max_points)
        scores = column.plan(grades)
        if not dry_run:
            scores = tuple(column.send(scores))
    Console(width=None if sys.stdout.isatty() else WIDE).print(_table(scores))
    counts = {fate: sum(score.fate is fate for score in scores) for fate in Fate}
    click.echo(f"{assignment}: {', '.join(f'{count} {fate.value}' for fate, count in counts.items() if count)}.")
    for score in scores:
        if score.fate is Fate.REFUSED:
            complain(f"{score.grade.person.user}: {score.reason}")
    return 1 if counts[Fate.REFUSED] else 0


def _table(scores: tuple[Score, ...]) -> Table:
    from tensorgrade.lms.files import shown_points

    table = Table()
    for title in ("student", "name", "points", "late penalty", "the LMS has", ""):
        table.add_column(title, justify="right" if title in ("points", "late penalty", "the LMS has") else "left")
    for score in scores:
        grade, person = score.grade, score.grade.person
        name = " ".join(filter(None, (person.first_name, person.last_name)))
        points = f"{shown_points(grade.points)} / {shown_points(grade.max_points)}" if grade.points is not None else ""
        penalty = shown_points(grade.late_penalty) if grade.late_penalty else ""
        fate = f"{score.fate.value} ({grade.state.value})" if grade.points is None else score.fate.value
        table.add_row(shown(person.user), shown(name), points, penalty, shown_points(score.before), fate)
    return table
