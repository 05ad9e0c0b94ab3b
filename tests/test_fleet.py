"""The room `fleet`: many submissions, on any executor, with the reports of one process."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tensorgrade.course import Assignment, Course, Submission
from tensorgrade.errors import GraderError, PlatformError
from tensorgrade.fleet import LateTemplate, LocalProcesses, grade_everywhere, reference_verdicts
from tensorgrade.fleet.bench import PREFIX, private_folder, sweep
from tensorgrade.fleet.bundle import pack_assignment, pack_submission, unpack
from tensorgrade.fleet.executor import ProcessLost
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import Report
from tensorgrade.notebooks import read_notebook, student_version
from tensorgrade.sandbox.template import Template

TINY = Path(__file__).parent / "courses" / "tiny"
RIGHT = "def double(x):\n    return x + x"
SOLUTIONS = {
    "right": RIGHT,
    "wrong": "def double(x):\n    return x * 3",
    "raises": "def double(x):\n    raise ValueError(str(x))",
    "odd value": "def double(x):\n    return None",
    "loop": "def double(x):\n    while True:\n        pass",
    "hog": "def double(x):\n    return bytearray(10**11)",
    "exit": "import os\ndef double(x):\n    os._exit(3)",
    "noisy": "print('hello', open('data/words.txt').read())\ndef double(x):\n    return x + x",
}
# A grader that reads a file of its own, one check that is broken, one that fails with its own traceback.
HIDDEN = '''
import pathlib, pytest, torch
from tensorgrade.checks import assert_close

EXPECTED = float((pathlib.Path(__file__).parent / "labels.txt").read_text())

@pytest.mark.task("double", weight=3)
def test_label(student, rng):
    """Every element of the result is twice the element of the input."""
    x = torch.randn(5, 7, generator=rng)
    assert_close(student.double(x), x * EXPECTED)

@pytest.mark.task("double")
def test_raises_itself(student):
    """The result has a size."""
    assert student.double(torch.ones(3)).shape == (3,)
'''


@pytest.fixture
def tiny(tmp_path: Path) -> Assignment:
    """The tiny course with a grader that reads a file, and small limits."""
    shutil.copytree(TINY, tmp_path / "course")
    assignment = Course.at(tmp_path / "course").assignment("tiny")
    (assignment.graders / "test_hidden.py").write_text(HIDDEN)
    (assignment.graders / "labels.txt").write_text("2.0")
    (assignment.source / "table.csv").write_text("1,2\n")
    with assignment.settings_file.open("a") as file:
        file.write("[limits]\ncheck_cpu_seconds = 0.5\ncell_cpu_seconds = 1\nmemory_mib = 512\ndisk_mib = 16\n")
    return assignment


def submit(assignment: Assignment, student: str, solution: str = RIGHT) -> Submission:
    """Hand in the release with the solution cell filled in."""
    notebook = student_version(read_notebook(assignment.source / "tiny.ipynb"))
    notebook.cells[2].source = solution
    submission = Submission(assignment, student)
    submission.folder.mkdir(parents=True)
    nbformat.write(notebook, submission.folder / "tiny.ipynb")
    return submission


def submit_everything(assignment: Assignment) -> tuple[Submission, ...]:
    """Honest, wrong and hostile submissions, some of which cannot be read or sent."""
    for student, solution in SOLUTIONS.items():
        folder = submit(assignment, student, solution).folder
        (folder / "data" / "empty folder").mkdir(parents=True)
        (folder / "data" / "words.txt").write_text("words")
    (submit(assignment, "link").folder / "notes.txt").symlink_to("/etc/passwd")
    os.mkfifo(submit(assignment, "pipe").folder / "pipe")
    (submit(assignment, "not JSON").folder / "tiny.ipynb").write_text("{")
    folder = submit(assignment, "renamed").folder
    (folder / "tiny.ipynb").rename(folder / os.fsdecode(b"bad\xff.ipynb"))
    (submit(assignment, "bad name").folder / os.fsdecode(b"bad\xff.txt")).write_text("1")
    with (submit(assignment, "huge file").folder / "data.bin").open("wb") as file:
        file.truncate(2**28)
    with (submit(assignment, "huge hidden file").folder / ".cache").open("wb") as file:
        file.truncate(2**28)
    submit(assignment, os.fsdecode(b"st\xffdent"))
    return (*assignment.course.submissions(assignment), Submission(assignment, "nobody"))


def comparable(report: Report) -> dict[str, Any]:
    """A report without what time decides."""
    data = asdict(replace(report, seconds=0.0, checks=tuple(replace(c, seconds=0.0) for c in report.checks)))
    which = r"after \d+\.\d s (of CPU time|by the clock) \(limit [\d.]+ s\)"  # a busy machine decides
    return json.loads(re.sub(which, "in time", json.dumps(data, default=str)))


def everywhere(processes: int, assignment: Assignment, submissions: tuple[Submission, ...]) -> dict[str, Report]:
    """The reports of local processes, by student."""
    with LocalProcesses(processes) as executor, LateTemplate() as template:
        verdicts = reference_verdicts(executor, processes, assignment)
        grader = Grader(assignment, template, verdicts)
        return {report.student: report for report in grade_everywhere(executor, processes, grader, submissions)}


def test_reports_do_not_depend_on_the_number_of_processes(tiny: Assignment, template: Template) -> None:
    """Points, statuses, hints, rationales, outputs and keys are equal for 1, 2 and 3, whatever was handed in."""
    submissions = submit_everything(tiny)
    grader = Grader(tiny, template)
    alone = {submission.student: comparable(grader.grade(submission)) for submission in submissions}
    assert {report["status"] for report in alone.values()} == {"graded", "unreadable", "missing"}
    assert str(tiny.course.root) in json.dumps(alone["odd value"]), "a rationale names the grader's file"
    for processes in (2, 3):
        found = everywhere(processes, tiny, submissions)
        assert {student: comparable(report) for student, report in found.items()} == alone


def test_broken_checks_are_found_once_for_all(tiny: Assignment, template: Template, tmp_path: Path) -> None:
    """The reference solution is run once, wherever submissions are graded; its verdicts are the same."""
    counter = tmp_path / "runs"
    broken = HIDDEN.replace("EXPECTED = ", f"open({str(counter)!r}, 'a').write('x')\nEXPECTED = 1 + ")
    (tiny.graders / "test_hidden.py").write_text(broken)
    submissions = tuple(submit(tiny, student) for student in ("ada", "ben", "cyd", "dov"))
    found = everywhere(2, tiny, submissions)
    assert counter.read_text() == "x" * 5
    grader = Grader(tiny, template)
    assert [check.name for check in grader.broken] == ["test_label"]
    assert {s.student: comparable(found[s.student]) for s in submissions} == {
        s.student: comparable(grader.grade(s)) for s in submissions
    }


def test_any_executor_will_do(tiny: Assignment, template: Template) -> None:
    """A fresh process that shares nothing but the interpreter grades from the bytes alone."""
    submission = submit(tiny, "ada", SOLUTIONS["wrong"])
    grader = Grader(tiny, template)
    expected = comparable(grader.grade(submission))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        assert reference_verdicts(executor, 1, tiny)[0].status is grader.reference[0].status
        found = [comparable(report) for report in grade_everywhere(executor, 1, grader, [submission])]
    assert found == [expected]


class Counting(ThreadPoolExecutor):
    """An executor that counts what it holds."""

    held, most = 0, 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a call, later."""
        self.held += 1
        self.most = max(self.most, self.held)
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(self._done)
        return future

    def _done(self, future: Future[Any]) -> None:
        self.held -= 1


def test_few_submissions_are_read_ahead(tiny: Assignment, template: Template) -> None:
    """Of a large class two submissions for each process are in memory, not all."""
    submissions = [submit(tiny, f"student {number}") for number in range(8)]
    with Counting(1) as executor:
        reports = list(grade_everywhere(executor, 1, Grader(tiny, template), submissions))
    assert [report.points for report in reports] == [4.0] * 8
    assert executor.most == 2


KILLER = '''
import os, pathlib, signal, pytest, torch
FLAG = pathlib.Path({flag!r})

@pytest.mark.task("double")
def test_kills(student):
    """It doubles."""
    value = float(student.double(torch.tensor(1.0)))
    if value == {value} and not ({once} and FLAG.exists()):
        FLAG.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    assert value == 2.0
'''


@pytest.mark.parametrize("once", [True, False])
def test_a_process_that_dies_costs_one_try_of_one_submission(tiny: Assignment, tmp_path: Path, *, once: bool) -> None:
    """What a killed process was grading is tried once more, then it is one line; the others are graded."""
    hidden = KILLER.format(flag=str(tmp_path / "flag"), value=7.0, once=once)
    (tiny.graders / "test_hidden.py").write_text(hidden)
    submissions = [submit(tiny, f"student {number}") for number in range(5)]
    submissions.insert(2, submit(tiny, "killer", "def double(x):\n    return x + 6"))
    found = everywhere(2, tiny, tuple(submissions))
    killer = found.pop("killer")
    assert [report.points for report in found.values()] == [4.0] * 5
    assert killer.status == ("graded" if once else "unreadable")
    if not once:
        assert killer.error == (
            "submission killer/tiny: could not be graded: the process that graded it was ended by SIGKILL, most likely "
            "for lack of memory (tried 2 times). Grade it again with --workers 1 to see why."
        )


@pytest.mark.proof
def test_a_machine_at_fault_stops_the_run(tiny: Assignment, tmp_path: Path) -> None:
    """Where submission after submission is lost, the rest of the class is not tried."""
    hidden = KILLER.format(flag=str(tmp_path / "flag"), value=7.0, once=False)
    (tiny.graders / "test_hidden.py").write_text(hidden)
    submissions = [submit(tiny, f"student {number}", "def double(x):\n    return x + 6") for number in range(9)]
    with pytest.raises(PlatformError, match=r"like the 2 before it.*tensorgrade doctor"):
        everywhere(1, tiny, tuple(submissions))


def test_a_wrong_grader_is_one_clear_error(tiny: Assignment) -> None:
    """A grader that cannot be loaded is refused with the same words as in one process."""
    (tiny.graders / "test_hidden.py").write_text("import nonsense_module")
    with pytest.raises(GraderError, match=r"^graders/tiny/test_hidden.py: cannot be loaded: .*nonsense_module"):
        everywhere(2, tiny, (submit(tiny, "ada"),))


def test_local_processes_replace_the_dead() -> None:
    """The death of a process fails its own call; the next one runs in another process."""
    with LocalProcesses(1) as executor:
        first = executor.submit(os.getpid).result()
        with pytest.raises(ProcessLost, match="exit status 3"):
            executor.submit(os._exit, 3).result()
        assert executor.submit(os.getpid).result() not in (first, os.getpid())
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result()


def test_local_processes_end_at_once_and_with_their_parent() -> None:
    """An exception ends what runs; a killed coordinator leaves no process behind."""
    executor = LocalProcesses(2)
    numbers = [executor.submit(os.getpid).result()]
    executor.submit(time.sleep, 600)
    executor.submit(time.sleep, 600)
    executor.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    source = (
        "import os, time; from tensorgrade.fleet import LocalProcesses\n"
        "executor = LocalProcesses(1); print(executor.submit(os.getpid).result(), flush=True)\n"
        "executor.submit(time.sleep, 600); time.sleep(0.2); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True, check=False)
    numbers.append(int(done.stdout))
    deadline = time.monotonic() + 10
    while any(map(is_alive, numbers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, numbers))


def is_alive(process: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_bundle_holds_what_decides_and_nothing_else(tiny: Assignment) -> None:
    """Grader, sources, data, settings, what these name, and the secret; no mutants, no students' files."""
    root = tiny.course.root
    (tiny.graders / "mutants").mkdir()
    (tiny.graders / "mutants" / "one.py").touch()
    (tiny.graders / "worker").mkdir()
    (tiny.graders / "worker" / "spy.py").touch()
    (root / "header.ipynb").touch()
    (root / "gradebook.db").touch()
    with (root / "nbgrader_config.py").open("a") as file:
        file.write('c.IncludeHeaderFooter.header = "header.ipynb"\nc.X.y = ["../outside", "gradebook.db"]\n')
    submit(tiny, "ada")
    bundle = pack_assignment(tiny, ())
    assert sorted(bundle.files) == [
        ".tensorgrade/secret",
        "graders/tiny/assignment.toml",
        "graders/tiny/labels.txt",
        "graders/tiny/test_hidden.py",
        "graders/tiny/test_public.py",
        "graders/tiny/worker/spy.py",
        "header.ipynb",
        "nbgrader_config.py",
        "source/tiny/table.csv",
        "source/tiny/tiny.ipynb",
    ]
    (tiny.graders / "labels.txt").write_text("3.0")
    assert bundle.sha256 != pack_assignment(tiny, ()).sha256
    assert tiny.course.secret().hex() not in repr(bundle)


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out"])
def test_unpacking_stays_inside(tmp_path: Path, name: str) -> None:
    """No name writes outside of the folder."""
    with pytest.raises(PlatformError, match="inside"):
        unpack({name: b""}, tmp_path / "folder")


def test_packing_reads_nothing_large(tiny: Assignment) -> None:
    """A file above the limit is not read, and the submission stays here."""
    submission = submit(tiny, "ada")
    assert pack_submission(submission.folder, 2**20) is not None
    with (submission.folder / "data.bin").open("wb") as file:
        file.truncate(2**38)
    assert pack_submission(submission.folder, 2**20) is None


def test_private_folders_are_private_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else may enter; the folder of a killed process is removed by the next one, that of a live one stays."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own = private_folder()
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    source = "import os; from tensorgrade.fleet.bench import private_folder; private_folder(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", source], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 2
    sweep()
    assert list(tmp_path.glob(f"{PREFIX}*")) == [own]
