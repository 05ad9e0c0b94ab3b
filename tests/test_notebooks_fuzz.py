"""Thousands of notebooks that no editor would write: each is graded, or unreadable with one sentence."""

from __future__ import annotations

import json
import random
import resource
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from traitlets.config import Config

from tensorgrade.course import Assignment, Course, Submission
from tensorgrade.errors import NotebookError
from tensorgrade.gradebook import PAGE_FILTERS
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import Report
from tensorgrade.notebooks import cells_to_run, read_notebook, restore, student_version
from tensorgrade.sandbox.template import Template
from tests.fuzz.notebooks import mutated

ROOT = Path(__file__).parents[1]
TINY = ROOT / "tests" / "courses" / "tiny"
REAL = sorted(ROOT.glob("source/*/*.ipynb"))
SECONDS_OF_ONE = 30  # a hard stop, far above what any took: 0.3 s
MIB_OF_ALL = 700  # a notebook of 20 MiB is parsed, copied and restored
LIMITS = "\n[limits]\ncheck_cpu_seconds = 1\ncell_cpu_seconds = 1\nnotebook_seconds = 5\nmemory_mib = 512\n"


@contextmanager
def bounded() -> Iterator[None]:
    """A block that may take neither the time nor the memory of others."""

    def stop(number: int, frame: object) -> None:
        raise AssertionError(f"took more than {SECONDS_OF_ONE} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS_OF_ONE)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used < MIB_OF_ALL * 1024


@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.proof)])
def test_any_file_is_a_notebook_or_one_sentence(tmp_path: Path, count: int) -> None:
    """What is read of real notebooks, however they were changed, is well formed and can be restored and written."""
    path, dice, seen = tmp_path / "x.ipynb", random.Random(count), Counter[str]()
    originals = [(file.read_bytes(), read_notebook(file)) for file in REAL]
    for _ in range(count):
        content, source = dice.choice(originals)
        path.write_bytes(mutated(content, dice))
        with bounded():
            seen[outcome_of_reading(path, source)] += 1
    assert set(seen) == {"read", "refused"}
    assert min(seen.values()) > count // 10


def outcome_of_reading(path: Path, source: Any) -> str:
    """Whether a file was read, and all that follows went well, or was refused in one sentence."""
    try:
        notebook = read_notebook(path)
    except NotebookError as error:
        sentence = str(error)
    else:
        sentence = ""
    if sentence:
        assert sentence.startswith("x.ipynb: ")
        assert len(sentence) < 200
        assert "\n" not in sentence
        return "refused"
    restored = restore(notebook, source)
    nbformat.validate(restored)
    assert restore(restored, source) == restored
    assert all(isinstance(cell.source, str) for cell in cells_to_run(restored))
    json.dumps(restored).encode()
    return "read"


@pytest.fixture(scope="module")
def assignment(tmp_path_factory: pytest.TempPathFactory) -> Assignment:
    """The tiny course, with little time for each submission."""
    course = tmp_path_factory.mktemp("fuzzed") / "course"
    shutil.copytree(TINY, course)
    with (course / "graders" / "tiny" / "assignment.toml").open("a") as settings:
        settings.write(LIMITS)
    return Course.at(course).assignment("tiny")


@pytest.mark.parametrize("count", [20, pytest.param(100, marks=pytest.mark.proof)])
def test_any_submission_is_graded_or_unreadable(assignment: Assignment, template: Template, count: int) -> None:
    """Each ends as `graded`, with a page that can be shown, or as `unreadable` with a sentence about the notebook."""
    grader, dice, seen = Grader(assignment, template), random.Random(count), Counter[str]()
    submission = Submission(assignment, "ada")
    submission.folder.mkdir(parents=True, exist_ok=True)
    path = submission.folder / "tiny.ipynb"
    notebook = student_version(read_notebook(assignment.source / "tiny.ipynb"))
    notebook.cells[2].source = "def double(x):\n    return x + x"
    content = nbformat.writes(notebook).encode()
    for _ in range(count):
        path.write_bytes(mutated(content, dice))
        with bounded():
            report = grader.grade(submission)
            seen[report.status] += 1
            look_at(report)
    assert set(seen) == {"graded", "unreadable"}
    assert min(seen.values()) > count // 10


def look_at(report: Report) -> None:
    """One sentence, or points for each task and notebooks of which a page can be made."""
    if report.error is not None:
        assert report.error.startswith("submission ada/tiny: tiny.ipynb: ")
        assert "\n" not in report.error
        return
    assert [task.points for task in report.tasks] in ([4.0, None], [0.0, None], [3.0, None], [1.0, None])
    exporter = HTMLExporter(config=Config({"HTMLExporter": {"filters": dict(PAGE_FILTERS)}}))
    exporter.from_notebook_node(nbformat.from_dict(report.notebooks["tiny"]))
