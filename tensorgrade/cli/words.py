"""What commands share: the course option, a progress bar, and texts that any terminal can show."""

from __future__ import annotations

from collections.abc import Callable
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


def complain(message: str) -> None:
    """Say on standard error what went wrong."""
    click.echo(f"tensorgrade: {shown(message)}", err=True)


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


def progress_bar() -> Progress:
    """A bar on standard error; each of its tasks has a field `problems`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    more = (TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[problems]}"))
    return Progress(*columns, *more, console=Console(stderr=True))
