"""`tensorgrade release`."""

from __future__ import annotations

from pathlib import Path

import click

from tensorgrade.cli.words import course_option
from tensorgrade.course import Course


@click.command()
@click.argument("assignment")
@course_option
def release(assignment: str, folder: Path) -> int:
    """Make the student version of ASSIGNMENT, with its public checks.

    It goes to release/ASSIGNMENT, and into the exchange where the course's nbgrader_config.py sets one.

    \b
    Example:
      tensorgrade release attention
    """
    from tensorgrade.gradebook import generate_release

    course = Course.at(folder)
    found = course.assignment(assignment)
    generate_release(course, found.name)
    files = ", ".join(sorted(path.name for path in found.release.iterdir()))
    click.echo(f"{found.release}: {files}")
    return 0
