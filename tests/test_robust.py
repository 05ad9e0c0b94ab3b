"""What goes wrong around the grading: nothing graded is lost, and one line says what to do."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from tensorgrade.course import Course
from tensorgrade.fleet.lock import course_lock
from tensorgrade.notebooks import read_notebook, student_version
from tests.commands import run

TINY = Path(__file__).parent / "courses" / "tiny"
RIGHT = "def double(x):\n    return x + x"
SLEEPY = "import time\ntime.sleep(60)"
ROOT_ONLY = pytest.mark.skipif(os.getuid() != 0, reason="mounts need root")


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """The tiny course with three right submissions."""
    root = tmp_path / "course"
    shutil.copytree(TINY, root)
    for student in ("ann", "bob", "cat"):
        submit(root, student)
    return root


@pytest.fixture(scope="module")
def graded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same course after a run."""
    root = tmp_path_factory.mktemp("graded") / "course"
    shutil.copytree(TINY, root)
    for student in ("ann", "bob", "cat"):
        submit(root, student)
    assert grade(root).returncode == 0
    return root


@pytest.fixture
def graded(graded_once: Path, tmp_path: Path) -> Path:
    """A copy of the graded course; `dan` came later."""
    shutil.copytree(graded_once, tmp_path / "course")
    submit(tmp_path / "course", "dan")
    return tmp_path / "course"


def submit(course: Path, student: str, solution: str = RIGHT) -> Path:
    """Hand in the release with the solution cell filled in; returns the notebook's place."""
    notebook = student_version(read_notebook(TINY / "source" / "tiny" / "tiny.ipynb"))
    notebook.cells[2].source = solution
    folder = course / "submitted" / student / "tiny"
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "tiny.ipynb")
    return folder / "tiny.ipynb"


def program(command: str = "tensorgrade") -> str:
    """A command of this environment."""
    return str(Path(sys.executable).with_name(command))


def environment(course: Path) -> dict[str, str]:
    """No activated environment."""
    return {"HOME": str(course.parent), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore"}


def grade(course: Path, *options: str, view: str = "", after: str = "") -> subprocess.CompletedProcess[str]:
    """Grade; `view` is a shell script that changes what a private mount namespace shows first."""
    arguments = ["grade", "tiny", *options]
    if view:
        script = f'set -e\n{view}\ncd {course}\nset +e\n"$@"\nstatus=$?\n{after}\nexit $status'
        command = ["unshare", "--mount", "sh", "-c", script, "sh", program(), *arguments]
        done = subprocess.run(command, cwd=course, env=environment(course), capture_output=True, text=True, check=False)
    else:
        done = run(course, "tensorgrade", *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines that say what went wrong."""
    return [line for line in done.stderr.splitlines() if line.startswith("tensorgrade:")]


def points(course: Path) -> dict[str, float]:
    """The automatic points in nbgrader's gradebook, by student."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "tiny-course") as gradebook:
        found = gradebook.assignment_submissions("tiny")
        return {one.student.id: sum(grade.auto_score or 0.0 for grade in one.notebooks[0].grades) for one in found}


def notebooks(course: Path) -> dict[str, str]:
    """The autograded notebooks, by student."""
    return {path.parts[-3]: path.read_text() for path in sorted(course.glob("autograded/*/tiny/tiny.ipynb"))}


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def descendants(process: int) -> set[int]:
    """All processes below one."""
    found: set[int] = set()
    waiting = [process]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            try:
                children = set(map(int, task.read_text().split()))
            except OSError:
                continue
            waiting += children - found
            found |= children
    return found


def are_alive(processes: set[int]) -> bool:
    """Whether one of them still runs."""
    for process in processes:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                return True
        except OSError:
            continue
    return False


@contextmanager
def grading(course: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The command, running in the background as a terminal's foreground job."""
    command = [program(), "grade", "tiny", *options]
    process = subprocess.Popen(
        command, cwd=course, env=environment(course), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


INTERRUPTED = "tensorgrade: interrupted. What was recorded before stays; run the command again to go on."


@pytest.mark.parametrize(
    ("workers", "stop"),
    [
        pytest.param("2", [signal.SIGINT] * 3, id="2-Ctrl-C thrice"),
        pytest.param("1", [signal.SIGINT] * 3, id="1-Ctrl-C thrice", marks=pytest.mark.proof),
        pytest.param("2", [signal.SIGTERM], id="2-SIGTERM", marks=pytest.mark.proof),
    ],
)
def test_stopping_leaves_no_process_and_no_half_result(course: Path, workers: str, stop: list[signal.Signals]) -> None:
    """Ctrl-C, also several times, ends with one line and exit 1; nothing runs on, what was graded is recorded."""
    submit(course, "zed", SLEEPY)
    with grading(course, "--workers", workers) as process:
        wait_for(lambda: len(list(course.glob("autograded/*/tiny/staff-report.json"))) == 3)
        wait_for(lambda: not list(course.glob("autograded/*/.tiny.unfinished")))
        below = descendants(process.pid)
        assert below
        for number in stop:
            os.killpg(process.pid, number)  # as a terminal does
            time.sleep(0.02)
        said = process.communicate(timeout=240)[1]
        assert process.returncode == 1
    assert said.splitlines()[-1] == INTERRUPTED
    assert "Traceback" not in said
    wait_for(lambda: not are_alive(below), seconds=10)
    assert points(course) == {"ann": 4.0, "bob": 4.0, "cat": 4.0}


FILL = "head -c 1000000 /dev/zero > {place}/full 2>/dev/null || true"


@ROOT_ONLY
def test_a_full_disk_stops_with_one_line(course: Path) -> None:
    """With no room for the results the run ends with one line that says what to do."""
    (course / "autograded").mkdir()
    view = f"mount -t tmpfs -o size=64k none {course}/autograded; " + FILL.format(place=course / "autograded")
    done = grade(course, view=view)
    assert done.returncode == 1
    assert len(complaints(done)) == 1
    assert "No space left on device. Free some space on that disk, then run this again" in complaints(done)[0]


@ROOT_ONLY
def test_a_disk_that_fills_up_loses_nothing(graded: Path) -> None:
    """The result of an earlier run stays where the new one has no room."""
    before, place, copy = notebooks(graded), graded / "autograded", graded.parent / "copy"
    pages = sum(path.stat().st_size // 4096 + 1 for path in place.rglob("*") if path.is_file())
    view = f"cp -a {place} {copy}; mount -t tmpfs -o size={pages * 4 + 8}k none {place}; cp -a {copy}/. {place}"
    done = grade(graded, "--force", view=view, after=f"rm -r {copy}; cp -a {place} {copy}")
    assert done.returncode == 1
    assert len(complaints(done)) == 1
    assert "No space left" in complaints(done)[0]
    shutil.rmtree(place)
    copy.rename(place)
    assert notebooks(graded) == before
    assert points(graded) == {"ann": 4.0, "bob": 4.0, "cat": 4.0}


@ROOT_ONLY
def test_a_full_disk_under_the_database(graded: Path) -> None:
    """SQLite's own words about a full disk become one line with what to do."""
    place = graded.parent / "small"
    place.mkdir()
    with (graded / "nbgrader_config.py").open("a") as file:
        file.write(f'c.CourseDirectory.db_url = "sqlite:///{place}/gradebook.db"\n')
    view = f"mount -t tmpfs -o size=1m none {place}; cp {graded}/gradebook.db {place}; {FILL.format(place=place)}"
    done = grade(graded, "--force", view=view)
    assert done.returncode == 1
    assert len(complaints(done)) == 1
    assert f"{place}/gradebook.db: database or disk is full. Free some space on that disk" in complaints(done)[0]


@ROOT_ONLY
def test_no_room_for_the_json_file(course: Path) -> None:
    """The grades are recorded and shown; one line says that the file is not there, and no part of it is."""
    place = course.parent / "small"
    place.mkdir()
    view = f"mount -t tmpfs -o size=4k none {place}; {FILL.format(place=place)}"
    done = grade(course, "--json", f"{place}/grades.json", view=view)
    assert done.returncode == 1
    assert complaints(done) == [
        f"tensorgrade: --json {place}/grades.json: No space left on device. "
        "Everything else is recorded; run this again to get the file."
    ]
    assert "ann" in done.stdout
    assert points(course) == {"ann": 4.0, "bob": 4.0, "cat": 4.0}


@ROOT_ONLY
@pytest.mark.parametrize(
    "place",
    [
        "autograded",
        pytest.param(".tensorgrade", marks=pytest.mark.proof),
        pytest.param(".", marks=pytest.mark.proof),
    ],
)
def test_a_folder_that_cannot_be_written(graded: Path, place: str) -> None:
    """A read-only folder is one line; what was recorded stays."""
    folder = graded / place
    done = grade(graded, view=f"mount --bind {folder} {folder}; mount -o remount,ro,bind {folder}")
    assert done.returncode == 1
    assert len(complaints(done)) == 1
    reason = "Read-only file system. Make it writable, then run this again; what was recorded stays."
    assert reason in complaints(done)[0]
    assert points(graded) == {"ann": 4.0, "bob": 4.0, "cat": 4.0}


def test_two_graders_at_once(course: Path) -> None:
    """The second one says who is grading since when and what to do; what a killed one left stops nobody."""
    submit(course, "zed", SLEEPY)
    with grading(course) as first:
        wait_for((course / "autograded" / "cat" / "tiny" / "staff-report.json").exists)
        done = grade(course)
        assert done.returncode == 1
        assert complaints(done)[0].startswith(
            f"tensorgrade: {course}: process {first.pid} (tensorgrade grade tiny) has been grading here since 20"
        )
        assert f"or stop it with `kill {first.pid}`; what it has graded stays." in complaints(done)[0]
        first.kill()
        first.wait()
    assert str(first.pid) in (course / ".tensorgrade" / "grading.lock").read_text()
    assert grade(course, "--student", "ann").returncode == 0


def test_nbgrader_autograde_waits_outside(graded: Path) -> None:
    """While the command runs, nbgrader's autograde stops before it removes anything."""
    course = graded
    before = notebooks(course)
    with course_lock(Course.at(course), "tensorgrade grade tiny"):
        done = run(course, "nbgrader", "autograde", "tiny", "--force")
    assert done.returncode != 0
    assert f"process {os.getpid()} (tensorgrade grade tiny) has been grading here" in done.stderr
    assert notebooks(course) == before


def test_a_locked_gradebook(graded: Path) -> None:
    """A program that keeps the database locked is named as the reason; nothing is graded in vain."""
    course = graded
    database = sqlite3.connect(course / "gradebook.db", isolation_level=None)
    database.execute("BEGIN EXCLUSIVE")
    done = grade(course)
    database.close()
    assert done.returncode == 1
    assert complaints(done) == [
        f"tensorgrade: {course}/gradebook.db: database is locked. Another program has it open. Close it (formgrader, "
        "an nbgrader command, a database browser), then run this again; what was recorded stays."
    ]


@pytest.mark.parametrize("content", [b"not a database" * 100, pytest.param(None, marks=pytest.mark.proof)])
def test_a_damaged_gradebook(graded: Path, content: bytes | None) -> None:
    """A damaged database is never overwritten; one line says what to do, and doing it works."""
    path = graded / "gradebook.db"
    whole = path.read_bytes()
    damaged = content or whole[:4096] + os.urandom(len(whole) - 4096)
    path.write_bytes(damaged)
    done = grade(graded)
    assert done.returncode == 1
    assert len(complaints(done)) == 1
    assert "It is damaged: put back a copy, or move it away" in complaints(done)[0]
    assert path.read_bytes() == damaged
    path.unlink()
    assert grade(graded).returncode == 0
    assert points(graded) == dict.fromkeys(["ann", "bob", "cat", "dan"], 4.0)


BROKEN: dict[str, Callable[[Path], object]] = {
    "empty": lambda notebook: notebook.write_bytes(b""),
    "no JSON": lambda notebook: notebook.write_bytes(b"{"),
    "no notebook": lambda notebook: notebook.write_bytes(b"[1]"),
    "not UTF-8": lambda notebook: notebook.write_bytes(b'{"cells": "\xff"}'),
    "gone": Path.unlink,
    "renamed": lambda notebook: notebook.rename(notebook.with_name("homework.ipynb")),
    "folder": lambda notebook: (notebook.unlink(), notebook.mkdir()),
    "link": lambda notebook: (notebook.unlink(), notebook.symlink_to("/etc/passwd")),
    "pipe": lambda notebook: (notebook.unlink(), os.mkfifo(notebook)),
    "80 MB": lambda notebook: notebook.write_bytes(notebook.read_bytes() + b" " * 80_000_000),
}


@pytest.mark.parametrize("workers", [pytest.param("1", marks=pytest.mark.proof), "2"])
def test_a_class_in_which_every_third_is_broken(course: Path, workers: str) -> None:
    """Each broken submission is one line that names it; the twenty others are graded and recorded."""
    shutil.rmtree(course / "submitted")
    for number, (name, damage) in enumerate(BROKEN.items()):
        damage(submit(course, f"{3 * number:02} {name}"))
        submit(course, f"{3 * number + 1:02}")
        submit(course, f"{3 * number + 2:02}")
    done = grade(course, "--workers", workers, "--json", "grades.json")
    assert done.returncode == 1
    said = complaints(done)
    assert len(said) == 10
    for number, name in enumerate(BROKEN):
        assert said[number].startswith(f"tensorgrade: submission {3 * number:02} {name}/tiny: "), said[number]
    document = json.loads((course / "grades.json").read_text())
    assert [one["student"][:2] for one in document["submissions"]] == [f"{number:02}" for number in range(30)]
    assert points(course) == {f"{number:02}": 4.0 for number in range(30) if number % 3}


def parts(grader: int) -> dict[str, list[int]]:
    """The processes of a run that is going on: the grading one, its templates, and their workers."""
    found: dict[str, list[int]] = {"grader": [grader], "template": [], "worker": []}
    for process in descendants(grader):
        generations = [_runs_template(one) for one in (process, *_above(process, 1))]
        if generations == [True, False]:
            found["template"].append(process)
        elif generations == [True, True]:
            found["worker"].append(process)
    return found


def _runs_template(process: int) -> bool:
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"python" in words[0] and b"tensorgrade.worker.template" in words and b"--unshare-all" not in words


def _above(process: int, generations: int) -> list[int]:
    found: list[int] = []
    for _ in range(generations):
        try:
            fields = Path(f"/proc/{[process, *found][-1]}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            break
        found.append(int(fields[1]))
    return found


def kill_one(grader: int, victim: str) -> bool:
    """Kill a part of a run; false if there is none of that kind now."""
    for process in parts(grader)[victim][:1]:
        os.kill(process, signal.SIGKILL)
        return True
    return False


def verdicts(course: Path) -> dict[str, list[tuple[str, str]]]:
    """How each check ended, by student."""
    found = {}
    for path in sorted(course.glob("autograded/*/tiny/staff-report.json")):
        report = json.loads(path.read_text())
        found[report["student"]] = [(check["name"], check["status"]) for check in report["checks"]]
    return found


@pytest.mark.parametrize(
    ("students", "kills"),
    [pytest.param(4, 3, id="3-kills"), pytest.param(60, 30, id="30-kills", marks=pytest.mark.proof)],
)
def test_killing_any_part_at_any_moment_costs_nobody_anything(course: Path, students: int, kills: int) -> None:
    """The grading process, a template, a worker: in the end each has one grade, that of a run that nobody disturbed."""
    for number in range(students - 3):
        submit(course, f"student {number}", RIGHT if number % 2 else "def double(x):\n    return x")
    calm = course.with_name("calm")
    shutil.copytree(course, calm)
    assert grade(calm).returncode == 0
    dice = random.Random(7)
    victims = [("worker", "template", "grader")[number % 3] for number in range(kills)]
    while victims:
        below: set[int] = set()
        with grading(course, "--workers", "2", "--force") as process:
            deadline = time.monotonic() + 120
            while victims and process.poll() is None and time.monotonic() < deadline:
                wait_a_moment(process, dice.uniform(0.1, 1.5))
                below |= descendants(process.pid)
                if process.poll() is None and kill_one(process.pid, victims[0]):
                    victims.pop(0)
            if process.poll() is None:
                process.kill()
                process.wait()
        wait_for(lambda: not are_alive(below), seconds=15)  # noqa: B023 - called at once
    done = grade(course)
    assert done.returncode == 0, done.stderr
    assert (points(course), verdicts(course)) == (points(calm), verdicts(calm))
    assert set(points(course)) == {path.name for path in (course / "submitted").iterdir()}
    assert notebooks(course) == notebooks(calm)
    with sqlite3.connect(course / "gradebook.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_worker_that_something_kills_costs_nobody_points(course: Path) -> None:
    """Who is killed from outside, as on a machine without memory, is graded again in the same run."""
    submit(course, "zed", f"import time\ntime.sleep(3)\n{RIGHT}")
    with grading(course, "--workers", "1") as process:
        wait_for((course / "autograded" / "cat" / "tiny" / "staff-report.json").exists)
        wait_for(lambda: kill_one(process.pid, "worker"))
        said = process.communicate(timeout=240)[1]
    assert process.returncode == 0, said
    assert points(course) == dict.fromkeys(["ann", "bob", "cat", "zed"], 4.0)


def wait_a_moment(process: subprocess.Popen[str], seconds: float) -> None:
    """Wait, or until a process ends."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and process.poll() is None:
        time.sleep(0.02)


JUMPING = """
import itertools, time
real, jumps = time.time, itertools.cycle((0.0, 86_400.0, -86_400.0, 1e8, -1e8))
time.time = lambda: real() + next(jumps)
"""


@pytest.mark.proof
def test_a_clock_that_jumps_changes_no_grade(course: Path) -> None:
    """Days forward and back at every look, files from the future: budgets, grades and what is kept are as ever."""
    place = course.parent / "jumping"
    place.mkdir()
    (place / "sitecustomize.py").write_text(JUMPING)
    for path, when in zip(sorted(course.glob("submitted/*/tiny/tiny.ipynb")), (0, 2**31, 2**32), strict=True):
        os.utime(path, (when, when))
    submit(course, "zed", "while True: pass")
    with (course / "graders" / "tiny" / "assignment.toml").open("a") as settings:
        settings.write("\n[limits]\ncell_cpu_seconds = 1\n")
    command = [program(), "grade", "tiny", "--json", "grades.json"]
    for cached in (False, True):
        done = subprocess.run(
            command,
            cwd=course,
            env={**environment(course), "PYTHONPATH": str(place)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said = json.loads((course / "grades.json").read_text())["submissions"]
        assert [(one["student"], one["points"], one["cached"]) for one in said] == [
            *((student, 4.0, cached) for student in ("ann", "bob", "cat")),
            ("zed", 0.0, cached),
        ]
