"""`tensorgrade grading-page`."""

from __future__ import annotations

from pathlib import Path

import click

from tensorgrade.cli.words import course_option


@click.command("grading-page", hidden=True)
@click.argument("name")
@course_option
def grading_page(name: str, folder: Path) -> int:
    """Serve the page on which the staff of the course NAME grade; a hub starts this.

    \b
    Example:
      tensorgrade grading-page dl101 --course /srv/courses/dl101
    """
    from tensorgrade.hub.grading.server import serve

    serve(folder, name)
    return 0
