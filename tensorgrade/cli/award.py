"""`tensorgrade award`."""

from __future__ import annotations

from pathlib import Path

import click

from tensorgrade.cli.words import course_option
from tensorgrade.course import Assignment, Course
from tensorgrade.errors import UsageError


@click.command()
@click.argument("assignment")
@click.argument("check")
@click.option("--reason", metavar="TEXT", help="Why; staff and students read it in their reports.")
@click.option("--undo", is_flag=True, help="Take an award back.")
@course_option
def award(assignment: str, check: str, reason: str | None, undo: bool, folder: Path) -> int:
    """Give everybody the points of CHECK, one of the checks of ASSIGNMENT.

    For a check that is broken or unfair: every submission gets its weight, whatever it did, and a
    task that waited for staff because of it has points again. The decision is recorded in
    graders/ASSIGNMENT/awarded.toml, and every grading from then on honours it, also nbgrader's.

    \b
    Examples:
      tensorgrade award attention test_band_of_width_one --reason "The text did not say what width 1 means."
      tensorgrade award attention test_band_of_width_one --undo
    """
    from tensorgrade.grading.awards import award_check, undo_award

    found = Course.at(folder).assignment(assignment)
    if undo == (reason is not None):
        raise UsageError("award: expected either --reason TEXT or --undo")
    if undo:
        undo_award(found, check)
        click.echo(f"{check}: counts again as it is graded.")
    else:
        award_check(found, check, str(reason), _names_of_checks(found))
        click.echo(f"{check}: everybody gets its points. Recorded in {found.awards_file}; commit it.")
    click.echo(f"Now run `tensorgrade grade {assignment}`, then `tensorgrade feedback {assignment}`.")
    return 0


def _names_of_checks(assignment: Assignment) -> tuple[str, ...]:
    from tensorgrade.grading.grader import Grader
    from tensorgrade.sandbox.template import Template

    with Template() as template:
        return Grader(assignment, template).checks
