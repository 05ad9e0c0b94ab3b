"""`tensorgrade lint`."""

from __future__ import annotations

from pathlib import Path

import click

from tensorgrade.cli.words import course_option, shown
from tensorgrade.course import Course


@click.command()
@click.argument("assignments", metavar="[ASSIGNMENT]...", nargs=-1)
@course_option
def lint(assignments: tuple[str, ...], folder: Path) -> int:
    """Find what does not fit together in each ASSIGNMENT, or in all of the course.

    Looks at notebooks (outputs, ids, nbgrader's metadata, points), at checks (tasks, docstrings, budgets), at mutants
    and variants (the cells and checks that they name), at limits, and at what students would get. It runs no
    solution; `tensorgrade prove` does. Exits with 1 if there is something to mend.

    \b
    Examples:
      tensorgrade lint
      tensorgrade lint attention
    """
    from tensorgrade.authoring import lint_assignment

    course = Course.at(folder)
    problems = 0
    for name in assignments or course.assignment_names():
        found = lint_assignment(course.assignment(name))
        problems += len(found)
        for problem in found:
            click.echo(shown(problem))
        if not found:
            click.echo(f"{name}: nothing was found")
    return 1 if problems else 0
