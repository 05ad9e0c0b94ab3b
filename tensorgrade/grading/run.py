"""Runs pytest on the files of a grader, quietly and without a trace in this process."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import torch

from tensorgrade.errors import GraderError
from tensorgrade.grading.plugin import GraderPlugin

# What a check does not need; the first two collect garbage at the end of each run, which costs more than a whole
# submission, and all of them together cost a fifth of a run.
SILENCED = (
    *("unraisableexception", "threadexception", "faulthandler", "cacheprovider", "terminal", "warnings", "logging"),
    *("debugging", "doctest", "junitxml", "legacypath", "pastebin", "setuponly", "setupplan", "stepwise", "unittest"),
)
OPTIONS = (
    "--assert=plain",  # introspection would print expected values
    "--import-mode=importlib",
    "--noconftest",
    "--disable-plugin-autoload",  # a grade does not depend on what else is installed
    "--strict-markers",
    "--capture=sys",
    *(word for name in SILENCED for word in ("-p", f"no:{name}")),
    "-c",
    os.devnull,
)


def run_checks(files: tuple[Path, ...], plugin: GraderPlugin) -> None:
    """Run every check of the files; the verdicts are in the plugin.

    Raises:
        GraderError: the grader cannot be run as it is written.
        PlatformError: what ended the run early.
    """
    folder = files[0].parent
    code = _run_pytest(files, plugin)
    if plugin.failure is not None:
        raise plugin.failure
    if code == pytest.ExitCode.INTERRUPTED and not plugin.problems:
        raise KeyboardInterrupt
    if plugin.problems:
        raise GraderError(f"graders/{folder.name}/{plugin.problems[0]}")
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise GraderError(f"graders/{folder.name}: pytest ended with {code!r}")
    missing = sorted(set(plugin.planned) - set(plugin.records))
    if missing:
        raise GraderError(f"graders/{folder.name}: no verdict on {missing[0]}")


def plan_checks(files: tuple[Path, ...], plugin: GraderPlugin) -> None:
    """Collect the checks and run none; what is wrong with how they are written is in ``plugin.problems``."""
    _run_pytest(files, plugin, "--collect-only")


def _run_pytest(files: tuple[Path, ...], plugin: GraderPlugin, *options: str) -> int | pytest.ExitCode:
    folder = files[0].parent
    # Without the second, pytest looks at every file in each folder above, as a course has hundreds.
    places = (f"--rootdir={folder}", f"--confcutdir={folder}")
    arguments = [*OPTIONS, *options, *places, *map(str, files)]
    with _leaving_no_trace(folder), _one_thread():
        return pytest.main(arguments, plugins=[plugin])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute as the worker does: where several gradings share a machine, threads wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _leaving_no_trace(folder: Path) -> Iterator[None]:
    """Keep the output, the modules and the warnings of a grader out of this process."""
    modules = set(sys.modules)
    addopts = os.environ.pop("PYTEST_ADDOPTS", None)
    try:
        quiet = io.StringIO()
        with redirect_stdout(quiet), redirect_stderr(quiet), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if addopts is not None:
            os.environ["PYTEST_ADDOPTS"] = addopts
        for name in set(sys.modules) - modules:
            origin = getattr(sys.modules[name], "__file__", None)
            if origin is not None and Path(origin).parent == folder:
                del sys.modules[name]  # the next run reads the file afresh
