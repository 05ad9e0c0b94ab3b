"""Grades a whole class of numbered submissions in one run, and keeps all that anybody could read of it."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode

from tensorgrade.notebooks import CellEdits, grade_id_of, read_edits, read_notebook, student_version, with_edits
from tests.commands import run

TESTS = Path(__file__).parent
SECRET = re.compile(r"TG-SECRET-([a-z]+)-0{8}")
SECONDS_TO_END = 15.0
PR_SET_CHILD_SUBREAPER = 36  # ref: prctl(2)
# Part of the settings of the course, so that every process that grades keeps what crosses its wall.
RECORDER = """
import os, pathlib, time
from tensorgrade.wire import Channel

def _keep(channel, sign, data):
    if not hasattr(channel, "kept_in"):
        channel.kept_in = pathlib.Path({folder!r}, f"{{os.getpid()}}-{{time.monotonic_ns()}}")
    with channel.kept_in.open("ab") as file:
        file.write(sign + data)
    return data

if not hasattr(Channel, "is_recorded"):
    Channel.is_recorded, _send, _receive = True, Channel.send, Channel.receive
    Channel.send = lambda channel, data: _send(channel, _keep(channel, b"\\nSENT ", data))
    Channel.receive = lambda channel: _keep(channel, b"\\nRECEIVED ", _receive(channel))
"""


@dataclass(frozen=True)
class Case:
    """One submission of a corpus, read from a file of cell edits.

    Attributes:
        name: of the file and of the student.
        edits: what it changes in the honest submission, and the expected outcome in its headers.
    """

    name: str
    edits: CellEdits

    @cached_property
    def expect(self) -> dict[str, float]:
        """The header ``# expect: double=0 softmax=4``: points by task."""
        pairs = (pair.split("=") for pair in self.edits.headers.get("expect", "").split())
        return {task: float(points) for task, points in pairs}

    @property
    def status(self) -> str:
        """The header ``# status: unreadable``."""
        return self.header("status") or "graded"

    def header(self, name: str) -> str | None:
        """A header of the file."""
        return self.edits.headers.get(name)


def read_corpus(folder: Path) -> list[Case]:
    """The submissions of a folder, in their order."""
    return [Case(path.stem, with_head(read_edits(path))) for path in sorted(folder.glob("[a-z][0-9][0-9]_*.py"))]


def with_head(edits: CellEdits) -> CellEdits:
    """The edits, each cell below the code that the header ``# begins with: channels.py`` names."""
    if "begins with" not in edits.headers:
        return edits
    head = edits.file.with_name(edits.headers["begins with"]).read_text()
    return replace(edits, cells={name: f"{head}\n\n{source}" for name, source in edits.cells.items()})


@dataclass(frozen=True)
class Graded:
    """A graded class, and what was kept of the run.

    Attributes:
        secrets: what was planted, by kind; of ``other``, one for each submission that has one.
        before: digests of the course's files before the run.
        left_processes: the command lines of the processes that outlived it.
        seconds: wall time of `tensorgrade grade`.
    """

    course: Path
    assignment: str
    done: subprocess.CompletedProcess[str]
    secrets: dict[str, str]
    before: dict[str, str]
    messages: Path
    left_processes: list[str]
    seconds: float
    others: dict[str, str] = field(default_factory=dict)

    @cached_property
    def records(self) -> dict[str, dict[str, Any]]:
        """What `grade --json` says, by student."""
        document = json.loads((self.course.parent / "grades.json").read_text())
        return {one["student"]: one for one in document["submissions"]}

    def points(self, student: str) -> dict[str, float]:
        """A student's points by task, those that a person gives left out."""
        tasks = self.records[student]["tasks"].items()
        return {name: task["points"] for name, task in tasks if "manual" not in task}

    def readable(self, student: str) -> dict[str, str]:
        """All that anybody may read of a submission, by file: staff, students, other programs."""
        places = (self.course / step / student for step in ("autograded", "feedback"))
        files = [path for place in places for path in place.rglob("*") if path.is_file()]
        texts = {str(path.relative_to(self.course)): path.read_text(errors="replace") for path in files}
        return {**texts, "grades.json": json.dumps(self.records[student], ensure_ascii=False)}

    def report(self, student: str) -> str:
        """The staff report."""
        return (self.course / "autograded" / student / self.assignment / "staff-report.html").read_text()

    def conversations(self) -> Iterator[tuple[bytes, bytes]]:
        """What was sent to each worker, and what came back."""
        for path in sorted(self.messages.iterdir()):
            parts = re.split(rb"\n(SENT|RECEIVED) ", path.read_bytes())
            pairs = list(zip(parts[1::2], parts[2::2], strict=True))
            yield tuple(b"\0".join(data for sign, data in pairs if sign == which) for which in (b"SENT", b"RECEIVED"))


def digests(folder: Path) -> dict[str, str]:
    """By relative path, the content of each regular file, and where each link leads."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def make_course(template: Path, folder: Path) -> tuple[Path, dict[str, str]]:
    """A copy of a course whose planted secrets are new, with these."""
    course = folder / "course"
    shutil.copytree(template, course)
    planted: dict[str, str] = {}

    def fresh(match: re.Match[str]) -> str:
        return planted.setdefault(match[1], f"TG-SECRET-{match[1]}-{secrets.token_hex(4)}")

    for path in [path for path in course.rglob("*") if path.suffix in (".py", ".ipynb", ".toml")]:
        path.write_text(SECRET.sub(fresh, path.read_text()))
    return course, planted


def hand_in(course: Path, assignment: str, student: str, edits: CellEdits, *, base: CellEdits, mark: str) -> Path:
    """Write a submission: the release with the base solutions and the edits over them; returns its folder."""
    notebook = student_version(read_notebook(course / "source" / assignment / f"{assignment}.ipynb"))
    notebook = with_edits(with_edits(notebook, base), edits)
    if mark:
        solution_of(notebook, "double").source += f"\n# {mark}"
    folder = course / "submitted" / student / assignment
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{assignment}.ipynb")
    return folder


def solution_of(notebook: NotebookNode, task: str) -> NotebookNode:
    """The cell in which a task is solved."""
    return next(cell for cell in notebook.cells if grade_id_of(cell) == f"{task}-solution")


def grade_class(
    template: Path,
    folder: Path,
    cases: Mapping[str, CellEdits],
    base: CellEdits,
    *,
    marked: frozenset[str] = frozenset(),
    make: Callable[[str, Path], None] = lambda student, folder: None,
) -> Graded:
    """Grade the submissions in one run of the command with two workers, then write the feedback.

    Args:
        template: a course directory with one assignment of its name.
        folder: where the copy goes.
        cases: by student, what is changed in the base.
        base: the solutions of all tasks.
        marked: students whose submissions have a secret of their own in their text.
        make: changes the files of a submission after it is written.
    """
    course, planted = make_course(template, folder)
    assignment = template.name
    others = {student: f"TG-SECRET-other-{secrets.token_hex(4)}" for student in sorted(marked)}
    for student, edits in cases.items():
        make(student, hand_in(course, assignment, student, edits, base=base, mark=others.get(student, "")))
    messages = folder / "messages"
    messages.mkdir()
    with (course / "nbgrader_config.py").open("a") as settings:
        settings.write(RECORDER.format(folder=str(messages)))
    planted["token"] = f"TG-SECRET-token-{secrets.token_hex(4)}"
    before, started = digests(course), time.monotonic()
    environment = {"JUPYTERHUB_API_TOKEN": planted["token"], "DATABASE_URL": f"postgresql://{planted['token']}@host"}
    environment |= {"HOME": str(folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore"}
    options = ("--workers", "2", "--json", str(folder / "grades.json"))
    with survivors() as left:
        done = run(course, "tensorgrade", "grade", assignment, *options, environment=environment)
    seconds = time.monotonic() - started
    fed_back = run(course, "tensorgrade", "feedback", assignment, environment=environment)
    assert fed_back.returncode == 0, fed_back.stderr
    return Graded(course, assignment, done, planted, before, messages, left, seconds, others)


@contextmanager
def survivors() -> Iterator[list[str]]:
    """Fills the list with the command lines of the processes that were started meanwhile and have not ended.

    This process adopts orphans for as long, so that a daemon is found however it has cut itself off (ref: prctl(2)).
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    left: list[str] = []
    run(Path("/"), "tensorgrade", "--version")  # the warm process that commands are forks of
    before = processes_below(os.getpid())
    assert prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        yield left
        deadline = time.monotonic() + SECONDS_TO_END
        while (new := processes_below(os.getpid()).keys() - before.keys()) and time.monotonic() < deadline:
            time.sleep(0.05)
        left += [processes_below(os.getpid()).get(process, "") for process in new]
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def processes_below(process: int) -> dict[int, str]:
    """By process id, the command lines of all living processes below one."""
    found: dict[int, str] = {}
    waiting = [process]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            for child in map(int, read_or_nothing(task).split()):
                waiting.append(child)
                state = read_or_nothing(Path(f"/proc/{child}/stat")).rpartition(")")[2].split()[:1]
                if state not in ([], ["Z"], ["X"]):
                    found[child] = read_or_nothing(Path(f"/proc/{child}/cmdline")).replace("\0", " ")
    return found


def read_or_nothing(path: Path) -> str:
    """The text of a file of /proc, whose process may end meanwhile."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
