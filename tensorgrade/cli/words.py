"""What commands share: the course option, a progress bar, and texts that any terminal can show."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tensorgrade.sandbox.levels import LEVELS, STRICT

SECONDS_BETWEEN_LINES = 10.0


def complain(message: str) -> None:
    """Say on standard error what went wrong."""
    click.echo(f"tensorgrade: {shown(message)}", err=True)


def warn(message: str) -> None:
    """Say on standard error what whoever runs this has to know."""
    click.echo(f"warning: {shown(message)}", err=True)


def shown(text: str) -> str:
    """A text that any terminal can show; file names may hold anything but a slash."""
    plain = text.encode("utf-8", "backslashreplace").decode()
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in plain)


def course_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option that names the course directory."""
    folder = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.option(
        "--course",
        "folder",
        type=folder,
        default=".",
        metavar="DIR",
        help="The course directory (default: here).",
    )(command)


def sandbox_option(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the option that names a level of the sandbox."""
    return click.option(
        "--sandbox",
        "level",
        type=click.Choice(list(LEVELS)),
        default=STRICT.name,
        show_default=True,
        callback=lambda context, option, name: LEVELS[name],
        help=help_text,
    )


def progress_bar() -> Progress:
    """A bar on standard error; each of its tasks has a field `problems`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    more = (TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[problems]}"))
    return Progress(*columns, *more, console=Console(stderr=True))


@contextmanager
def progress() -> Iterator[Callable[[int, int, str], None]]:
    """A bar in a terminal; elsewhere, as in a log, a line now and then.

    Yields:
        What is to be told how many of how many are done, and the name of the last one.
    """
    if sys.stderr.isatty():
        with progress_bar() as bars:
            bar = bars.add_task("starting", total=None, problems="")
            yield lambda done, total, name: bars.update(bar, completed=done, total=total, description=shown(name))
        return
    told = -SECONDS_BETWEEN_LINES

    def tell(done: int, total: int, name: str) -> None:
        nonlocal told
        if done == total or time.monotonic() - told >= SECONDS_BETWEEN_LINES:
            told = time.monotonic()
            click.echo(f"{done} of {total}: {shown(name)}", err=True)

    yield tell
