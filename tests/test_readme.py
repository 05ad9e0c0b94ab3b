"""The README is true: its commands run, its examples work, its figures are those of the demo."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tensorgrade.course import SETTINGS, Course
from tensorgrade.grading.grader import Grader
from tensorgrade.sandbox.template import Template
from tests.commands import run

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROW = re.compile(r"^│ (\w+) +│(.*)│ +[\d.]+ │$", re.M)


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def commands() -> list[str]:
    """Every command that the README tells people to type."""
    return [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]


@pytest.fixture(scope="module")
def demo() -> str:
    """What `make demo` prints."""
    done = subprocess.run(["make", "demo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def points(text: str) -> dict[str, list[str]]:
    """The cells of a table of grades, by student, without the seconds."""
    return {student: [cell.strip() for cell in cells.split("│")] for student, cells in ROW.findall(text)}


@pytest.mark.proof
def test_demo_prints_what_the_readme_shows(demo: str) -> None:
    """The table in the README is the table of `make demo`, but for the seconds."""
    assert len(points(README)) == 10
    assert points(demo) == points(README)
    assert "All 10 grades are as expected." in demo


@pytest.mark.proof
def test_every_command_runs(demo: str) -> None:
    """Each command of the README exits with 0 in the demo's course directory."""
    assert "make test" in commands(), "it runs this test, so it is not run by it"
    for command in commands():
        if not command.startswith("make "):
            # All parts of a proof take minutes, and are run by test_assignments.py.
            short = " --part empty" if command.startswith("tensorgrade prove") else ""
            done = run(ROOT / "build" / "demo", *(command + short).split())
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_grader_example_grades(template: Template, tmp_path: Path) -> None:
    """The example grader and the example settings work as they stand."""
    shutil.copytree(ROOT / "tests" / "courses" / "tiny", tmp_path / "course")
    course = Course.at(tmp_path / "course")
    tiny = course.assignment("tiny")
    (example,) = [block for block in blocks("python") if "@pytest.mark.task" in block]
    (settings,) = blocks("toml")
    (tiny.graders / "test_hidden.py").write_text(example)
    tiny.settings_file.write_text(settings)
    grader = Grader(course.assignment("tiny"), template)
    assert grader.broken == ()
    assert course.assignment("tiny").limits.memory_mib == 2048
    assert set(tomllib.loads(settings)) == SETTINGS


def test_config_example_is_the_repositorys() -> None:
    """The lines for nbgrader_config.py are those of the course in this repository."""
    (example,) = [block for block in blocks("python") if "configure(c)" in block]
    config = (ROOT / "nbgrader_config.py").read_text()
    for line in example.replace("my-course", "tensorgrade-course").splitlines():
        assert line in config


def test_map_names_what_is_there() -> None:
    """Every room and folder of the map exists, and every room is in the map."""
    table = README.split("## Map")[1].split("## Vocabulary")[0]
    named = {name.rstrip("/") for name in re.findall(r"`([a-z]+/?)`", table)}
    package = ROOT / "tensorgrade"
    rooms = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert rooms - {"__init__", "__main__"} <= named
    state = {"submitted", "feedback"}
    assert {name for name in named - rooms - state if not (ROOT / name).exists()} == set()


def test_links_and_pictures_exist() -> None:
    """Every relative link leads to a file."""
    targets = re.findall(r"\]\(([^)#:]+)\)", README.replace("\n", " "))
    assert "docs/feedback.png" in targets
    assert [target for target in targets if not (ROOT / target).is_file()] == []
