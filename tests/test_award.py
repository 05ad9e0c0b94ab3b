"""`tensorgrade award`: everybody gets the points of a check that is fair to nobody."""

from __future__ import annotations

import io
import json
import shutil
import sys
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbgrader.api import Gradebook

from tensorgrade.cli import main
from tensorgrade.course import Assignment, Course, Submission
from tensorgrade.errors import GraderError, UsageError
from tensorgrade.grading.awards import award_check, undo_award
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import Report
from tensorgrade.notebooks import read_notebook, student_version
from tensorgrade.reports import staff_report
from tensorgrade.sandbox.template import Template

TINY = Path(__file__).parent / "courses" / "tiny"
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning", "ignore::DeprecationWarning")
BROKEN = "test_doubles_any_tensor"
REASON = "The text did not say what happens to zeros."
WRONG = "def double(x):\n    return 3 * x"


def make_course(root: Path, **solutions: str) -> Assignment:
    """The tiny course whose hidden check, three quarters of the task, fails the reference, too."""
    shutil.copytree(TINY, root)
    hidden = root / "graders" / "tiny" / "test_hidden.py"
    hidden.write_text(hidden.read_text().replace("x + x)", "x + x + 1)"))
    for student, solution in solutions.items():
        notebook = student_version(read_notebook(TINY / "source" / "tiny" / "tiny.ipynb"))
        notebook.cells[2].source = solution
        folder = root / "submitted" / student / "tiny"
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / "tiny.ipynb")
    return Course.at(root).assignment("tiny")


@pytest.fixture
def tiny(tmp_path: Path) -> Assignment:
    """The assignment with a broken check, and one wrong submission."""
    return make_course(tmp_path / "course", ada=WRONG)


def graded(tiny: Assignment, template: Template) -> tuple[Grader, Report]:
    """The report on the submission, by the grader as it stands on the disk now."""
    fresh = Course.at(tiny.course.root).assignment("tiny")
    grader = Grader(fresh, template)
    return grader, grader.grade(Submission(fresh, "ada"))


def test_an_awarded_check_counts_as_passed(tiny: Assignment, template: Template) -> None:
    """The task has points again: the awarded weight, and what else was earned."""
    grader, report = graded(tiny, template)
    assert (report.tasks[0].points, len(grader.broken)) == (None, 1)
    award_check(tiny, BROKEN, REASON, grader.checks)
    grader, report = graded(tiny, template)
    assert (report.tasks[0].points, grader.broken) == (3.0, ())
    assert (report.points, report.max_points) == (3.0, 4.0)


def test_undo_makes_it_count_again(tiny: Assignment, template: Template) -> None:
    """After --undo everything is as before, and the record is gone."""
    award_check(tiny, BROKEN, REASON, [BROKEN])
    undo_award(Course.at(tiny.course.root).assignment("tiny"), BROKEN)
    assert not tiny.awards_file.exists()
    assert graded(tiny, template)[1].tasks[0].points is None


def test_points_stay_clamped(tiny: Assignment, template: Template) -> None:
    """With every check awarded and passed a task has its max points and not more."""
    names = graded(tiny, template)[0].checks
    for name in names:
        award_check(Course.at(tiny.course.root).assignment("tiny"), name, REASON, names)
    assert graded(tiny, template)[1].tasks[0].points == 4.0


def test_award_decides_the_key(tiny: Assignment) -> None:
    """A submission is graded again after an award."""
    before = tiny.sha256()
    award_check(tiny, BROKEN, REASON, [BROKEN])
    assert tiny.sha256() != before


def test_record_can_be_read_by_people_and_programs(tiny: Assignment) -> None:
    """The record is TOML with the reason and the day, whatever characters name and reason hold."""
    name, reason = 'test_x["a\\b"-é]', 'It said "two"\nand \x1b[31mmeant\x7f 三.'
    award_check(tiny, name, reason, [name])
    awards = Course.at(tiny.course.root).assignment("tiny").awards
    assert awards[name].reason == 'It said "two" and [31mmeant 三.'
    assert tomllib.loads(tiny.awards_file.read_text())[name]["since"] == awards[name].since
    assert tiny.awards_file.read_text().startswith("# Checks whose points everybody gets")


@pytest.mark.parametrize(
    ("check", "reason", "message"),
    [
        pytest.param("test_doubles_any", REASON, "Did you mean 'test_doubles_any_tensor'", id="unknown"),
        pytest.param("x", REASON, "Checks: test_doubles_any_tensor.", id="unlike-any"),
        pytest.param(BROKEN, " \n", "--reason: expected a sentence", id="no-reason"),
    ],
)
def test_award_refuses(tiny: Assignment, check: str, reason: str, message: str) -> None:
    """A wrong name and an empty reason change nothing."""
    with pytest.raises(UsageError, match=message):
        award_check(tiny, check, reason, [BROKEN])
    assert not tiny.awards_file.exists()


def test_undo_refuses_what_was_not_awarded(tiny: Assignment) -> None:
    """The error says what has been awarded."""
    award_check(tiny, BROKEN, REASON, [BROKEN])
    with pytest.raises(UsageError, match=f"'test_x' has not been awarded. Awarded: {BROKEN}"):
        undo_award(Course.at(tiny.course.root).assignment("tiny"), "test_x")


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        pytest.param("[test_gone]\nreason = 'x'", GraderError, "no check is called 'test_gone' any more", id="gone"),
        pytest.param("[test_gone]", UsageError, r"awarded\.toml: cannot be read: KeyError: 'reason'", id="no-reason"),
        pytest.param("test_gone", UsageError, r"awarded\.toml: cannot be read", id="no-toml"),
    ],
)
def test_odd_record_stops_the_run(
    tiny: Assignment, template: Template, content: str, kind: type[Exception], message: str
) -> None:
    """A record that cannot be honoured stops before any student, and names its file."""
    tiny.awards_file.write_text(content)
    with pytest.raises(kind, match=message):
        graded(tiny, template)


def test_award_of_a_test_in_the_notebook(tiny: Assignment, template: Template) -> None:
    """A classic assignment, in a course without graders/, has its record there, too, and stays classic."""
    source = tiny.source / "tiny.ipynb"
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[1].source = "import torch"
    notebook.cells[3].source = "assert double(1) == 3"
    nbformat.write(notebook, source)
    shutil.rmtree(tiny.graders.parent)
    assert graded(tiny, template)[1].tasks[0].points is None
    award_check(tiny, "double", REASON, ["double"])
    assert graded(tiny, template)[1].tasks[0].points == 4.0


# The command


def run(course: Path, *arguments: str, code: int = 0) -> str:
    """Run our command line in a course, in this process."""
    text = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(text), redirect_stderr(text):
        patch.chdir(course)
        patch.setattr(sys, "argv", ["tensorgrade", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == code, text.getvalue()
    return text.getvalue()


@pytest.fixture(scope="module")
def awarded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course with two submissions, graded before and after an award."""
    course = tmp_path_factory.mktemp("award") / "course"
    make_course(course, ada=WRONG, bob="def double(x):\n    return x + x")
    assert "is broken" in run(course, "grade", "tiny", code=1)
    assert "commit it" in run(course, "award", "tiny", BROKEN, "--reason", REASON)
    run(course, "grade", "tiny", "--json", "grades.json")
    run(course, "feedback", "tiny")
    return course


def saved(course: Path) -> dict[str, tuple[float | None, bool]]:
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "tiny-course") as gradebook:
        found = [gradebook.find_grade("double", "tiny", "tiny", student) for student in ("ada", "bob")]
        return {grade.student.id: (grade.auto_score, grade.needs_manual_grade) for grade in found}


def test_command_gives_everybody_the_points(awarded: Path) -> None:
    """The next grading exits with 0, gives the points, and asks nobody for manual grades any more."""
    assert saved(awarded) == {"ada": (3.0, False), "bob": (4.0, False)}


def test_reports_say_so(awarded: Path) -> None:
    """JSON, staff report and feedback say what was awarded, and why."""
    document: dict[str, Any] = json.loads((awarded / "grades.json").read_text())
    (check,) = [one for one in document["submissions"][0]["checks"] if one["name"] == BROKEN]
    assert (check["status"], check["awarded"]) == ("BROKEN", REASON)
    for page, words in (
        ("autograded/ada/tiny/staff-report.html", f"Awarded to everybody: {REASON}"),
        ("feedback/ada/tiny/tiny.html", f"Everybody gets these points: {REASON} 3 / 3"),
    ):
        text = BeautifulSoup((awarded / page).read_text(), "html.parser").get_text(" ", strip=True)
        assert words in " ".join(text.split())


def test_command_refuses_an_unknown_check(awarded: Path) -> None:
    """It exits with 2, names the checks there are, and changes nothing; so do contradicting options."""
    before = (awarded / "graders" / "tiny" / "awarded.toml").read_bytes()
    answer = run(awarded, "award", "tiny", "test_doubles_tensor", "--reason", REASON, code=2)
    assert "Did you mean 'test_doubles_any_tensor'? Checks: test_doubles_three_numbers, test_doubles_any" in answer
    assert "expected either" in run(awarded, "award", "tiny", BROKEN, "--reason", REASON, "--undo", code=2)
    assert "expected either" in run(awarded, "award", "tiny", BROKEN, code=2)
    assert "tensorgrade award attention test_" in run(awarded, "award", "--help")
    assert (awarded / "graders" / "tiny" / "awarded.toml").read_bytes() == before


def test_release_does_not_hold_the_record(awarded: Path) -> None:
    """Students hear of an award in their feedback, not from the release."""
    run(awarded, "release", "tiny")
    assert sorted(path.name for path in (awarded / "release" / "tiny").iterdir()) == ["test_public.py", "tiny.ipynb"]
    assert "award tiny" not in staff_report(Report("tiny", "ada", "graded"))
