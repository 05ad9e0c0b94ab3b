"""Runs the public checks of a task in the student's own notebook: what `tensorgrade.check` does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tensorgrade.errors import GraderError, UsageError
from tensorgrade.grading.plugin import GraderPlugin
from tensorgrade.grading.records import CheckRecord, Status
from tensorgrade.grading.run import run_checks
from tensorgrade.reports import practice_html, practice_text
from tensorgrade.student import NotebookSession

CHECKS = "test_public.py"
# Public inputs are no secret, but the same for everybody.
PUBLIC_SECRET = b"tensorgrade public checks"


class PublicChecksFailed(Exception):
    """Some public checks of a task do not pass yet; the report above says which."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback through our code."""
        return [str(self)]


def check(task: str, namespace: dict[str, Any]) -> None:
    """Run the public checks of a task on a notebook's namespace, and show the report.

    Raises:
        PublicChecksFailed: a check failed, so that nbgrader's Validate agrees with the report.
        UsageError: there is no such task, or the public checks are not beside the notebook.
    """
    records = run_public_checks(task, namespace, Path.cwd() / CHECKS)
    _show(task, records)
    failed = sum(record.status is not Status.PASSED for record in records)
    if failed:
        raise PublicChecksFailed(f"{task}: {failed} of {len(records)} public checks do not pass yet.")


def run_public_checks(task: str, namespace: dict[str, Any], file: Path) -> tuple[CheckRecord, ...]:
    """The records of a task's public checks.

    Raises:
        UsageError: the file is missing, or has no check for that task.
        GraderError: the file cannot be run as it is written.
    """
    if not file.is_file():
        raise UsageError(f"{CHECKS} is not beside the notebook. Fetch the assignment again; it comes with it.")
    modules = {path.stem: path.read_text(encoding="utf-8") for path in file.parent.glob("worker/*.py")}
    session = NotebookSession(namespace, modules)
    plugin = GraderPlugin({task: session}, PUBLIC_SECRET, file.parent.name, in_notebook=True)
    try:
        with _own_randomness():
            run_checks((file,), plugin)
    except GraderError as error:
        if not plugin.planned and "no check belongs to" in str(error):
            raise UsageError(f"check({task!r}): {CHECKS} has no check for a task of that name.") from error
        raise
    return tuple(plugin.records.values())


@contextmanager
def _own_randomness() -> Iterator[None]:
    """Leave the notebook's random numbers as they were: a check must not seed a student's training."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def _show(task: str, records: tuple[CheckRecord, ...]) -> None:
    text = practice_text(task, records)
    from IPython import get_ipython

    if get_ipython() is None:
        print(text)  # noqa: T201 - a plain run has nothing but its output
        return
    from IPython.display import display

    display({"text/html": practice_html(task, records), "text/plain": text}, raw=True)
