"""Runs the public checks in the student's own notebook: what `tensorgrade.check` does."""

from __future__ import annotations

import difflib
import os
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tensorgrade.errors import GraderError, UsageError
from tensorgrade.grading.records import CheckRecord
from tensorgrade.grading.run import run_checks
from tensorgrade.public.plugin import PracticePlugin
from tensorgrade.reports import PracticeRecord, has_passed, practice_html, practice_text
from tensorgrade.student import Asking, NotebookSession

CHECKS = "test_public.py"
Tasks = Mapping[str, tuple[PracticeRecord, ...]]


class _OneLine(BaseException):
    """What IPython shows in one line instead of a traceback through our code."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class PublicChecksFailed(_OneLine, Exception):
    """Some public checks do not pass yet; the report above says which."""


class CheckRefused(_OneLine, UsageError):
    """The checks cannot run as `check` was called; the message says what to do."""


class CheckInterrupted(_OneLine, KeyboardInterrupt):
    """The student stopped the checks; `tasks` holds the records up to there."""

    def __init__(self, tasks: Tasks) -> None:
        super().__init__("Interrupted. The report above says where your code was.")
        self.tasks = tasks


def check(task: str | None, namespace: dict[str, Any]) -> None:
    """Run the public checks of a task, or of all, on a notebook's namespace, and show the report.

    Raises:
        PublicChecksFailed: a check failed, so that nbgrader's Validate agrees with the report.
        CheckRefused: there is no such task, or the public checks are not beside the notebook.
        CheckInterrupted: somebody pressed Ctrl-C; what was found until then is shown.
    """
    if not (task is None or isinstance(task, str)):
        raise CheckRefused(f'expected the name of a task in quotes, such as check("name"), got {type(task).__name__}.')
    try:
        file = find_checks(namespace)
        session = NotebookSession(namespace, read_modules(file.parent))
        tasks = run_public_checks(task, session, file, namespace)
    except CheckInterrupted as interruption:
        _show(interruption.tasks)
        raise
    _show(tasks)
    if not all(map(has_passed, tasks.values())):
        raise PublicChecksFailed(summary(tasks))


def summary(tasks: Mapping[str, tuple[CheckRecord, ...]]) -> str:
    """One sentence about what does not pass yet."""
    failed = [name for name, checks in tasks.items() if not has_passed(checks)]
    if len(tasks) > 1:
        return f"{len(failed)} of {len(tasks)} tasks do not pass their public checks yet: {', '.join(failed)}."
    ((name, checks),) = tasks.items()
    count = sum(not has_passed([check]) for check in checks)
    return f"{name}: {count} of {len(checks)} public checks do not pass yet."


def run_public_checks(
    task: str | None, session: Asking, file: Path, namespace: dict[str, Any] | None = None
) -> dict[str, tuple[PracticeRecord, ...]]:
    """The records of a task's public checks, or of every task's in the order of the file.

    Args:
        task: name of the task; None for all.
        session: answers for the student's code.
        file: the ``test_public.py``, read afresh.
        namespace: where the student's names are, if they are in this process: for hints.

    Raises:
        CheckRefused: the file has no check for that task, or cannot be run as it is written.
        CheckInterrupted: somebody pressed Ctrl-C.
    """
    plugin = PracticePlugin(session, file.parent, task, namespace or {})
    try:
        with _everything_as_it_was():
            run_checks((file,), plugin)
    except GraderError as error:
        reason = str(error).removeprefix(f"graders/{file.parent.name}/")
        raise CheckRefused(f"{file.name} cannot be run. Fetch the assignment again. The reason: {reason}") from error
    except KeyboardInterrupt:
        raise CheckInterrupted(plugin.results()) from None
    results = plugin.results()
    if not results:
        raise CheckRefused(_no_such_task(task, plugin.known))
    return results


def find_checks(namespace: dict[str, Any]) -> Path:
    """The ``test_public.py`` of a notebook, also after it has changed its working directory.

    Raises:
        CheckRefused: there is none.
    """
    # What a script, VS Code and Jupyter say of where the code lies.
    own = (namespace.get("__file__"), namespace.get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME"))
    folders = [Path.cwd(), *(Path(file).absolute().parent for file in own if isinstance(file, str) and file)]
    for folder in folders:
        if (folder / CHECKS).is_file():
            return folder / CHECKS
    places = " and ".join(dict.fromkeys(map(str, folders)))
    raise CheckRefused(
        f"{CHECKS} is not beside the notebook (looked in {places}). "
        "It comes with the assignment: fetch it again, and keep the files of its folder together."
    )


def read_modules(folder: Path) -> dict[str, str]:
    """By name, the instructor's modules that public checks load, from ``worker/`` beside them."""
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("worker/*.py")}


def _no_such_task(task: str | None, known: tuple[str, ...]) -> str:
    if task is None or not known:
        return f"{CHECKS} has no checks. Fetch the assignment again."
    near = difflib.get_close_matches(task, known, 1, cutoff=0.5)
    meant = f'Did you mean check("{near[0]}")? ' if near else ""
    return f'check("{task}"): {CHECKS} has no check for a task of that name. {meant}Tasks: {", ".join(known)}.'


@contextmanager
def _everything_as_it_was() -> Iterator[None]:
    """Leave the notebook's random numbers alone, and no compiled file beside it.

    A check must not seed a student's training. A compiled file would be taken for the edited one where
    both are of one size and of one second, and would be submitted.
    """
    python, numpy, compiles = random.getstate(), np.random.get_state(), sys.dont_write_bytecode
    with torch.random.fork_rng(devices=[]):
        try:
            sys.dont_write_bytecode = True
            yield
        finally:
            sys.dont_write_bytecode = compiles
            random.setstate(python)
            np.random.set_state(numpy)


def _show(tasks: Tasks) -> None:
    text = practice_text(tasks)
    ipython = sys.modules.get("IPython")  # whoever runs in it has it imported
    if ipython is None or ipython.get_ipython() is None:
        encoding = sys.stdout.encoding or "utf-8"
        print(text.encode(encoding, "replace").decode(encoding))  # noqa: T201 - a plain run has nothing but its output
        return
    from IPython.display import display

    display({"text/html": practice_html(tasks), "text/plain": text}, raw=True)
