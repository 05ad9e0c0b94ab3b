"""`tensorgrade feedback`."""

from __future__ import annotations

from pathlib import Path

import click

from tensorgrade.cli.words import course_option
from tensorgrade.course import Course, Submission


@click.command()
@click.argument("assignment")
@click.option("--student", "students", multiple=True, metavar="ID", help="Only this student; may be repeated.")
@course_option
def feedback(assignment: str, students: tuple[str, ...], folder: Path) -> int:
    """Write the students' feedback on ASSIGNMENT as HTML.

    \b
    Example:
      tensorgrade feedback attention
    """
    from tensorgrade.gradebook import generate_feedback

    course = Course.at(folder)
    found = course.assignment(assignment)
    generate_feedback(course, found.name, students or None)
    chosen = {Submission(found, student).feedback for student in students}
    for page in sorted(course.root.glob(f"feedback/*/{found.name}/*.html")):
        if not chosen or page.parent in chosen:
            click.echo(page)
    return 0
