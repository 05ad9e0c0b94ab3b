"""The main job on real input: release, collect, grade, feedback, in a throwaway course directory.

Each file in ``submissions/`` is what one student made of the release, with the points expected.
Exits with 1 if a grade is not the expected one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat

from tensorgrade.notebooks import CellEdits, read_edits, read_notebook, with_edits

HERE = Path(__file__).parent
COURSE = HERE.parent / "build" / "demo"
ASSIGNMENT = "attention"
COMMANDS = Path(sys.executable).parent
# How Blackboard names the files of a download; nbgrader reads student and time from it.
FILE_NAME = r".*_(?P<student_id>\w+)_attempt_(?P<timestamp>[0-9\-]+)_(?P<file_id>.*)"


def main() -> int:
    """Run the demo; returns the exit status."""
    make_course()
    run("tensorgrade", "release", ASSIGNMENT)
    submissions = {path.stem: read_edits(path) for path in sorted((HERE / "submissions").glob("*.py"))}
    hand_in(submissions)
    named = f"--FileNameCollectorPlugin.named_regexp={FILE_NAME}"
    run("nbgrader", "zip_collect", ASSIGNMENT, "--log-level=ERROR", named)
    run("tensorgrade", "grade", ASSIGNMENT, "--json", "grades.json")
    run("tensorgrade", "feedback", ASSIGNMENT)
    return compare({student: expected_points(edits) for student, edits in submissions.items()})


def make_course() -> None:
    """A course directory with nothing but what an instructor writes."""
    shutil.rmtree(COURSE, ignore_errors=True)
    COURSE.mkdir(parents=True)
    for name in ("source", "graders"):
        shutil.copytree(HERE.parent / name, COURSE / name)
    shutil.copy(HERE.parent / "nbgrader_config.py", COURSE)


def hand_in(submissions: dict[str, CellEdits]) -> None:
    """The students' notebooks, named as a learning platform names its downloads."""
    archive = COURSE / "downloaded" / ASSIGNMENT / "archive"
    archive.mkdir(parents=True)
    release = read_notebook(COURSE / "release" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb")
    for student, edits in submissions.items():
        name = f"course_{student}_attempt_2026-11-20-18-00-00_{ASSIGNMENT}.ipynb"
        nbformat.write(with_edits(release, edits), archive / name)


def run(command: str, *arguments: str) -> None:
    """Run a command in the course directory, as a person would."""
    print(f"\n$ {command} {' '.join(arguments)}", flush=True)  # noqa: T201
    environment = {**os.environ, "PATH": f"{COMMANDS}:{os.environ['PATH']}"}
    done = subprocess.run([COMMANDS / command, *arguments], cwd=COURSE, env=environment, check=False)  # noqa: S603
    if done.returncode != 0:
        sys.exit(f"demo: {command} {arguments[0]} ended with {done.returncode}")


def expected_points(edits: CellEdits) -> dict[str, float]:
    """The header ``# expect: attend=19 masks=12`` of a submission."""
    pairs = (pair.split("=") for pair in edits.headers["expect"].split())
    return {task: float(points) for task, points in pairs}


def compare(expected: dict[str, dict[str, float]]) -> int:
    """Say which grades are not the expected ones."""
    graded = json.loads((COURSE / "grades.json").read_text(encoding="utf-8"))
    found = {
        one["student"]: {name: task["points"] for name, task in one["tasks"].items() if "manual" not in task}
        for one in graded["submissions"]
    }
    wrong = sorted(student for student in expected | found if expected.get(student) != found.get(student))
    for student in wrong:
        print(f"demo: {student}: expected {expected.get(student)}, got {found.get(student)}")  # noqa: T201
    if not wrong:
        print(f"\nAll {len(found)} grades are as expected. Feedback: {COURSE / 'feedback'}")  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
