"""Runs the project's and nbgrader's commands as forks of one process that has their imports done.

A command starts with five seconds of imports; the suite runs some hundred of them. A fork has nothing but the
imports: folder, environment, arguments, standard streams and the way to its end are those of a fresh process.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

STREAMS = ("in", "out", "error")


def run(
    folder: Path, command: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the environment in a folder, with no activated environment."""
    home = {"HOME": str(folder.parent), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore"}
    program = str(Path(sys.executable).with_name(command))
    with tempfile.TemporaryDirectory() as streams:
        paths = [Path(streams, name) for name in STREAMS]
        for path in paths:
            path.touch()
        request = {
            "command": [program, *arguments],
            "folder": str(folder),
            "environment": dict(environment or home),
            "streams": list(map(str, paths)),
        }
        status = _ask(json.dumps(request))
        return subprocess.CompletedProcess([program, *arguments], status, *(path.read_text() for path in paths[1:]))


def _ask(request: str) -> int:
    process = _warm_process(os.getpid())
    assert process.stdin
    assert process.stdout
    process.stdin.write(request + "\n")
    process.stdin.flush()
    return int(process.stdout.readline())


@functools.cache
def _warm_process(own: int) -> subprocess.Popen[str]:  # for this process, not for one that it forks
    process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.communicate)  # it ends when nobody can ask any more
    return process


def _serve() -> None:
    """Fork a process for each line, and answer with its exit code."""
    programs = {one.name: one.load() for one in entry_points(group="console_scripts", name="tensorgrade")}
    programs |= {one.name: one.load() for one in entry_points(group="console_scripts", name="nbgrader")}
    for room in ("authoring", "fleet", "gradebook", "grading.grader", "reports", "sandbox.template"):
        importlib.import_module(f"tensorgrade.{room}")  # the commands do so when they run

    gc.freeze()  # forks share these pages; a collection would copy them
    answers = os.dup(1)
    while request := sys.stdin.readline():
        process = os.fork()
        if process == 0:
            os.close(answers)
            _become(json.loads(request))
            sys.exit(programs[Path(sys.argv[0]).name]())
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        os.write(answers, b"%d\n" % status)


def _become(request: dict[str, list[str]]) -> None:
    """The process that a shell would have started."""
    os.setsid()
    for number, path in enumerate(request["streams"]):
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(str(request["folder"]))
    os.environ.clear()
    os.environ.update(request["environment"])
    if os.environ.get("PYTHONWARNINGS") == "ignore":
        warnings.simplefilter("ignore")
    sys.argv = request["command"]


if __name__ == "__main__":
    _serve()
