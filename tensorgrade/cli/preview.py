"""`tensorgrade preview`."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from tensorgrade.cli.words import course_option, shown
from tensorgrade.course import Course


@click.command()
@click.argument("assignment")
@click.option("--mutant", "mutants", multiple=True, metavar="NAME", help="Try a mutant too; all for every one.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Where to write it.")
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@course_option
def preview(assignment: str, mutants: tuple[str, ...], output: Path | None, opens: bool, folder: Path) -> int:
    """See what students will see of ASSIGNMENT, before it is released.

    Makes the student version in a folder of its own, runs its public checks untouched, with the
    solution and with mutants, and writes one page (build/preview/ASSIGNMENT.html in the course).
    Exits with 1 if there is something to mend.

    \b
    Examples:
      tensorgrade preview attention
      tensorgrade preview attention --mutant attend_unscaled --open
    """
    from tensorgrade.authoring import preview_assignment, preview_page
    from tensorgrade.sandbox.template import Template

    course = Course.at(folder)
    found = course.assignment(assignment)
    with Template() as template:
        preview = preview_assignment(found, template, mutants)
    path = output or course.root / "build" / "preview" / f"{found.name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(preview_page(preview, found.source), encoding="utf-8")
    for warning in preview.warnings:
        click.echo(f"to mend: {shown(warning)}")
    click.echo(str(path))
    if opens:
        webbrowser.open(path.resolve().as_uri())
    return 1 if preview.warnings else 0
