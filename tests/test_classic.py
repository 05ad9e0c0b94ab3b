"""Assignments whose tests stand in the notebook, as nbgrader without tensorgrade makes them.

The course is that of `nbgrader quickstart`, with four more grade cells. One copy of it is graded by
stock nbgrader, one by tensorgrade.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook

from tensorgrade.cli import main
from tensorgrade.course import Course, Submission
from tensorgrade.errors import GraderError, UsageError
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import Report, Status
from tensorgrade.reports import read_staff_json, staff_report
from tensorgrade.sandbox.template import Template

TINY = Path(__file__).parent / "courses" / "tiny"
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning", "ignore::DeprecationWarning")
CONFIGURE = "\nfrom tensorgrade.gradebook import configure\nconfigure(c)\n"
HIDDEN = '''"""It works for small numbers."""
assert squares(2) == [1, 4]
### BEGIN HIDDEN TESTS
assert squares(3)[-1] == 9, f"expected {31337 - 31328}"
### END HIDDEN TESTS'''
SQUARES = "def squares(n):\n    if n < 1:\n        raise ValueError(n)\n    return [i * i for i in range(1, n + 1)]"
SUM = "def sum_of_squares(n):\n    return sum(squares(n))"
STUDENTS: dict[str, dict[str, str]] = {
    "release": {},
    "correct": {"squares": SQUARES, "sum_of_squares": SUM, "score-solution": "score = 3"},
    "partly": {
        "squares": "def squares(n):\n    return [1, 4]",
        "sum_of_squares": "def sum_of_squares(n):\n    return sum(i * i for i in range(n + 1))",
        "score-solution": "score = 1 / 3",
        "part-a": "It counts.",
    },
    "deleted": {"squares": SQUARES, "sum_of_squares": SUM, "score-solution": "score = 0"},
    "printing": {
        "squares": SQUARES.replace("    if", "    print('squares of', n)\n    if", 1),
        "sum_of_squares": f"import sys\n{SUM}".replace("    return", "    print('late', file=sys.stderr)\n    return"),
        "score-solution": "score = 'most of it'",
    },
    "cheat é": {"squares": "def squares(n):\n    return None", "score-solution": "import sys; sys.displayhook(4.0)"},
}
# What tensorgrade gives on purpose where stock nbgrader gives something else: (stock, ours).
DELIBERATE = {
    # Stock nbgrader has no verdict on a deleted test; ours puts it back and runs it.
    ("deleted", "problem1", "squares_invalid_input"): (None, 1.0),
    # A tag in the student's file keeps stock nbgrader from running a test, and no output means full marks.
    ("cheat é", "problem1", "correct_squares"): (1.0, 0.0),
}
Points = dict[tuple[str, str, str], float | None]


def cell_of(role: str, name: str, source: str, **more: object) -> NotebookNode:
    roles = {"grade": False, "solution": False, "locked": role == "grade", "task": False, role: True}
    return new_code_cell(source, metadata={"nbgrader": {**roles, "grade_id": name, "schema_version": 3, **more}})


def environment(folder: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"HOME": str(folder), "PATH": path, "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore"}


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command of nbgrader in a folder."""
    command = [str(Path(sys.executable).with_name("nbgrader")), *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=folder, env=environment(folder), **pipes)


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for it to end well."""
    output, _ = process.communicate()
    assert process.returncode == 0, output


def run(course: Path, *arguments: str) -> None:
    """Run our command line in a course, in this process: torch is loaded already."""
    text = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(text), redirect_stderr(text):
        patch.chdir(course)
        patch.setattr(sys, "argv", ["tensorgrade", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0, text.getvalue()


def extend(course: Path) -> None:
    """Give the course grade cells with partial credit, with a text, with hidden tests, with a grade_id used twice."""
    path = course / "source" / "ps1" / "problem1.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells += [
        cell_of("solution", "score-solution", "### BEGIN SOLUTION\nscore = 2\n### END SOLUTION"),
        cell_of("grade", "score", "# The score counts.\nscore if isinstance(score, str) else score + 0.125", points=4),
        cell_of("grade", "hidden", HIDDEN, points=2),
    ]
    nbformat.write(notebook, path)
    path = course / "source" / "ps1" / "problem2.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(cell_of("grade", "correct_squares", "assert NAME == ''", points=1))
    nbformat.write(notebook, path)


def hand_in(course: Path, release: Path) -> None:
    """Every student fills the release in; some leave a notebook out."""
    for student, answers in STUDENTS.items():
        folder = course / "submitted" / student / "ps1"
        shutil.copytree(release, folder)
        for path in folder.glob("*.ipynb"):
            notebook = nbformat.read(path, as_version=4)
            for cell in notebook.cells:
                name = cell.metadata.get("nbgrader", {}).get("grade_id")
                cell.source = answers.get(name, cell.source)
                if student == "cheat é" and name == "correct_squares":
                    cell.metadata["tags"] = ["skip-execution"]
            dropped = "squares_invalid_input" if student == "deleted" else None
            notebook.cells = [
                c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") != dropped or not dropped
            ]
            nbformat.write(notebook, path)
        if student not in ("release", "correct", "partly"):
            (folder / "problem2.ipynb").unlink()


def saved(course: Path) -> Points:
    """The automatic points in the gradebook."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "course101") as gradebook:
        return {
            (one.student.id, notebook.name, grade.name): grade.auto_score
            for one in gradebook.assignment_submissions("ps1")
            for notebook in one.notebooks
            for grade in notebook.grades
        }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course twice: `stock`, graded by nbgrader alone, and `ours`, graded by tensorgrade."""
    folder = tmp_path_factory.mktemp("classic")
    finish(start(folder, "quickstart", "course101"))
    shutil.copytree(folder / "course101", folder / "plain")
    extend(folder / "course101")
    (folder / "course101").rename(folder / "stock")
    shutil.copytree(folder / "stock", folder / "ours")
    with (folder / "ours" / "nbgrader_config.py").open("a") as file:
        file.write(CONFIGURE)
    with (folder / "stock" / "nbgrader_config.py").open("a") as file:
        file.write("\nc.Execute.shutdown_kernel = 'immediate'\n")
    releasing = start(folder / "stock", "generate_assignment", "ps1")
    run(folder / "ours", "release", "ps1")
    finish(releasing)
    for name in ("stock", "ours"):
        hand_in(folder / name, folder / "stock" / "release" / "ps1")
    grading = start(folder / "stock", "autograde", "ps1")
    run(folder / "ours", "grade", "ps1", "--json", "grades.json")
    run(folder / "ours", "feedback", "ps1")
    finish(grading)
    return folder


def submissions(folder: Path) -> dict[str, Any]:
    """What `--json` says, by student."""
    document = json.loads((folder / "ours" / "grades.json").read_text())
    return {one["student"]: one for one in document["submissions"]}


def test_the_release_is_the_same(folder: Path) -> None:
    """`tensorgrade release` gives students the cells that stock nbgrader gives them."""
    for name in ("problem1", "problem2"):
        stock, ours = (
            nbformat.read(folder / one / "release" / "ps1" / f"{name}.ipynb", as_version=4) for one in ("stock", "ours")
        )
        assert [(c.cell_type, c.source) for c in ours.cells] == [(c.cell_type, c.source) for c in stock.cells]


def test_points_are_those_of_stock_nbgrader(folder: Path) -> None:
    """Each cell of each student has the points of stock nbgrader, but for what ours gives on purpose."""
    stock, ours = saved(folder / "stock"), saved(folder / "ours")
    assert set(stock) == set(ours)
    assert {place: (stock[place], ours[place]) for place in stock if stock[place] != ours[place]} == DELIBERATE
    assert ours["partly", "problem1", "score"] == 1 / 3 + 0.125
    assert ours["printing", "problem1", "correct_sum_of_squares"] == 0.0
    assert ours["printing", "problem1", "score"] == 4.0
    assert ours["correct", "problem2", "correct_squares"] == 1.0


def test_nbgrader_autograde_gives_the_same(folder: Path, tmp_path: Path) -> None:
    """`nbgrader autograde` in a course with `configure` runs the tests in the sandbox, too."""
    course = tmp_path / "course"
    shutil.copytree(folder / "ours", course)
    shutil.rmtree(course / "autograded")
    (course / "gradebook.db").unlink()
    for student in set(STUDENTS) - {"partly"}:
        shutil.rmtree(course / "submitted" / student)
    finish(start(course, "autograde", "ps1"))
    ours = saved(folder / "ours")
    assert saved(course) == {place: ours[place] for place in ours if place[0] == "partly"}


def test_json_says_that_the_verdict_can_be_faked(folder: Path) -> None:
    """Programs can tell these verdicts from those of checks outside; equal grade_ids stay apart."""
    found = submissions(folder)
    assert all(one["fakeable"] is True for one in found.values())
    assert found["correct"]["tasks"]["problem2/correct_squares"] == {"points": 1.0, "max_points": 1.0}
    assert found["correct"]["points"] == 1.0 + 1.0 + 0.5 + 0.5 + 3.125 + 2.0 + 1.0
    assert found["cheat é"]["tasks"]["problem2/correct_squares"]["points"] == 0.0


def test_staff_report_says_that_the_verdict_can_be_faked(folder: Path) -> None:
    """Staff reads it on top, and finds the whole traceback."""
    page = (folder / "ours" / "autograded" / "partly" / "ps1" / "staff-report.html").read_text()
    text = BeautifulSoup(page, "html.parser").get_text(" ", strip=True)
    assert "These verdicts can be faked." in text
    assert "----> 4 assert squares(3)[-1] == 9" in text
    kept = read_staff_json(folder / "ours" / "autograded" / "partly" / "ps1" / "staff-report.json")
    assert kept is not None
    assert kept.fakeable


def feedback(folder: Path, student: str) -> str:
    page = (folder / "ours" / "feedback" / student / "ps1" / "problem1.html").read_text()
    return " ".join(BeautifulSoup(page, "html.parser").get_text(" ", strip=True).split())


def test_feedback_says_what_failed_and_shows_no_hidden_test(folder: Path) -> None:
    """Students read the visible test that failed, and of a hidden one that it did."""
    text = feedback(folder, "partly")
    assert "Check that squares returns the correct output for several inputs" in text
    assert "AssertionError in the test `assert squares(1) == [1]`" in text
    assert "A hidden test does not pass." in text
    assert "The tests gave 0.458333 of 4 points." in text
    assert "which can fake their verdict" in text
    assert "squares of 10" in feedback(folder, "printing")
    assert "standard error" in feedback(folder, "printing")
    for page in (folder / "ours" / "feedback").glob("*/ps1/*.html"):
        assert [
            secret for secret in ("31337", "31328", "HIDDEN TESTS", "squares(3)") if secret in page.read_text()
        ] == []


# What the quickstart course does not show


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A course with one classic assignment and nothing in it."""
    root = tmp_path / "course"
    (root / "source" / "hw").mkdir(parents=True)
    (root / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'classic'\n" + CONFIGURE)
    return Course.at(root)


def grade(course: Course, template: Template, test: str, answer: str, solution: str = "x = 1", **more: Any) -> Report:
    """The report on one answer, by one test of 2 points."""
    cells = [cell_of("solution", "x", solution), cell_of("grade", "test", test, points=2)]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=more)
    nbformat.write(notebook, course.root / "source" / "hw" / "hw.ipynb")
    submission = Submission(course.assignment("hw"), "ada")
    submission.folder.mkdir(parents=True, exist_ok=True)
    notebook.cells[0].source = answer
    nbformat.write(notebook, submission.folder / "hw.ipynb")
    return Grader(Course.at(course.root).assignment("hw"), template).grade(submission)


@pytest.mark.parametrize(
    ("test", "answer", "points", "hint"),
    [
        pytest.param("assert x == 1", "import os; os._exit(0)", 0.0, "NameError in the test `assert x", id="exit"),
        pytest.param("import os\nif x > 1: os._exit(0)", "x = 2", 0.0, "ended its own process", id="exit-in-test"),
        pytest.param("print('y' * 300_000 * x)\nassert x < 3", "x = 2", 2.0, None, id="chatty"),
        pytest.param("print('y' * 300_000)\nassert x == 1", "x = 2", 0.0, "assert x == 1", id="chatty-and-wrong"),
        pytest.param("x", "x = 7", None, None, id="more-points-than-there-are"),
        pytest.param("1.5 if x > 1 else 1.75", "x = 2", 1.5, "gave 1.5 of 2 points", id="reference-not-perfect"),
        pytest.param("assert 0, x", "x = 1", None, None, id="reference-fails"),
        pytest.param("f(x)", "def f(x): raise type('Odd', (Exception,), {})", 0.0, "An exception in", id="odd-class"),
    ],
)  # fmt: skip
def test_verdicts(course: Course, template: Template, test: str, answer: str, points: float | None, hint: str) -> None:
    """Whatever a cell does ends in points or with staff, never in full marks for lack of output."""
    report = grade(course, template, test, f"f = abs; x = 1\n{answer}", "x = 1; f = abs")
    assert report.tasks[0].points == points
    (check,) = report.checks
    assert (check.status is Status.BROKEN) == (points is None)
    assert (hint or "") in (check.hint or "")
    if points is None:
        assert "waits for staff" in staff_report(report)


def test_a_test_that_was_not_run_gives_nothing(course: Course, template: Template) -> None:
    """After three cells that end the process the others are not run; no output is not full marks then."""
    grade(course, template, "assert x == 1", "x = 1")
    path = course.root / "submitted" / "ada" / "hw" / "hw.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1:1] = [new_code_cell(f"import os; os._exit({code})") for code in range(3)]
    nbformat.write(notebook, path)
    assignment = Course.at(course.root).assignment("hw")
    report = Grader(assignment, template).grade(Submission(assignment, "ada"))
    assert report.tasks[0].points == 0.0
    assert "were not run" in str(report.checks[0].hint)


def test_stderr_that_the_course_ignores(course: Course, template: Template) -> None:
    """The course's own `c.IgnorePattern` decides which warnings cost points, as in nbgrader."""
    test = "import sys; print('NNPACK', file=sys.stderr) if x > 1 else None"
    assert grade(course, template, test, "x = 2").tasks[0].points == 0.0
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write("c.IgnorePattern.enabled = True\nc.IgnorePattern.pattern = 'NNPACK'\n")
    assert grade(Course.at(course.root), template, test, "x = 2").tasks[0].points == 2.0


def test_hidden_lines_of_a_helper_are_not_named(course: Course, template: Template) -> None:
    """A visible call that fails in a hidden line is a hidden failure."""
    test = "### BEGIN HIDDEN TESTS\ndef look():\n    assert x == 1, 31337\n### END HIDDEN TESTS\nlook()"
    (check,) = grade(course, template, test, "x = 2").checks
    assert (check.hint, check.hidden) == ("A hidden test does not pass.", True)
    assert "31337" in str(check.rationale)


def test_limits_of_a_classic_assignment(course: Course, template: Template) -> None:
    """A folder with nothing but settings gives a classic assignment its limits."""
    (course.root / "graders" / "hw").mkdir(parents=True)
    (course.root / "graders" / "hw" / "assignment.toml").write_text("[limits]\ncell_cpu_seconds = 0.3\n")
    report = grade(course, template, "while x > 1: pass", "x = 2")
    assert "took too long" in str(report.checks[0].hint)


@pytest.mark.parametrize(
    ("test", "message"),
    [
        pytest.param(
            "from tensorgrade import check\ncheck('test')", "found neither, and source/hw/hw.ipynb", id="check"
        ),
        pytest.param("### AUTOTEST x", "asks for generated tests", id="autotest"),
    ],
)
def test_a_notebook_without_tests_is_refused(course: Course, template: Template, test: str, message: str) -> None:
    """Where nothing would be tested, everybody would have full marks."""
    with pytest.raises(GraderError, match=message):
        grade(course, template, test, "x = 2")


# docs/from-nbgrader.md

GUIDE = (Path(__file__).parents[1] / "docs" / "from-nbgrader.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of the guide in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.M | re.S)


def test_guide_runs(folder: Path, tmp_path: Path) -> None:
    """Every file of the guide is written and every command run, in its order, in the quickstart course."""
    course = tmp_path / "course"
    shutil.copytree(folder / "plain", course)
    shutil.copytree(folder / "ours" / "submitted" / "partly", course / "submitted" / "partly")
    (lines, grader), (settings,), (first, second, third) = blocks("python"), blocks("toml"), blocks("console")
    with (course / "nbgrader_config.py").open("a") as file:
        file.write(lines)
    commands(course, first)
    assert points_of(course) == {"correct_squares": 0.0, "sum_of_squares_uses_squares": 0.0}
    (course / "graders" / "ps1").mkdir(parents=True)
    (course / "graders" / "ps1" / "assignment.toml").write_text(settings)
    (course / "graders" / "ps1" / "test_hidden.py").write_text(grader)
    commands(course, second)
    assert points_of(course) == {"correct_squares": 0.25, "sum_of_squares_uses_squares": 0.0}
    commands(course, third)
    report = read_staff_json(course / "autograded" / "partly" / "ps1" / "staff-report.json")
    assert report is not None
    assert [check.name for check in report.checks if check.awarded] == ["test_sum"]
    assert not report.fakeable


def commands(course: Path, block: str) -> None:
    """Run the commands of a block of the guide; all exit with 0."""
    for line in block.splitlines():
        run(course, *shlex.split(line.removeprefix("$ tensorgrade ")))


def points_of(course: Path) -> dict[str, float | None]:
    """Some points of the one student, from the gradebook."""
    names = ("correct_squares", "sum_of_squares_uses_squares")
    return {name: points for (_, _, name), points in saved(course).items() if name in names}


def test_guide_names_what_differs() -> None:
    """The table of the guide has a line for each difference that the comparison with stock nbgrader found."""
    table = GUIDE.split("On purpose different")[1].split("## 3")[0]
    assert table.count("\n| a ") + table.count("\n| more ") + table.count("\n| hidden ") == 7
    assert {"deleted", "skip-execution"} <= set(re.findall(r"[\w-]+", table))
    assert len(DELIBERATE) == 2


def test_a_course_that_nbgrader_has_graded(folder: Path, tmp_path: Path) -> None:
    """With two lines more, a course that stock nbgrader has graded is graded again; people's decisions stay."""
    course = tmp_path / "course"
    shutil.copytree(folder / "stock", course)
    for student in set(STUDENTS) - {"partly"}:
        shutil.rmtree(course / "submitted" / student)
    before = saved(course)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "course101") as gradebook:
        gradebook.find_grade("part-a", "problem2", "ps1", "partly").manual_score = 0.75
        gradebook.find_comment("part-a", "problem2", "ps1", "partly").manual_comment = "Fine."
        gradebook.db.commit()
    with (course / "nbgrader_config.py").open("a") as file:
        file.write(CONFIGURE)
    run(course, "grade", "ps1")
    assert saved(course) == before
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "course101") as gradebook:
        assert gradebook.find_grade("part-a", "problem2", "ps1", "partly").score == 0.75
        assert gradebook.find_comment("part-a", "problem2", "ps1", "partly").comment == "Fine."
        sources = [cell.source for cell in gradebook.find_notebook("problem1", "ps1").source_cells]
    assert not any("31337" in source for source in sources), "feedback pages show what the gradebook holds"


def test_a_notebook_in_another_language_is_refused(course: Course, template: Template) -> None:
    """Only Python runs in the sandbox."""
    with pytest.raises(GraderError, match=r"^source/hw/hw\.ipynb: expected a notebook in Python, got one in julia"):
        grade(course, template, "1", "2", language_info={"name": "julia"})


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("submitted_directory = 'collected'", "expected 'submitted', got 'collected'"),
        ("directory_structure = '{nbgrader_step}/{assignment_id}/{student_id}'", "usual folders only"),
        ("root = '/nowhere'", "c.CourseDirectory.root is '/nowhere'"),
    ],
)
def test_other_folders_are_refused(course: Course, setting: str, message: str) -> None:
    """A course with folders by other names is refused, not graded from the wrong ones."""
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(f"c.CourseDirectory.{setting}\n")
    with pytest.raises(UsageError, match=message):
        Course.at(course.root).start_nbgrader()


def test_a_cell_of_many_errors_is_judged_at_once(course: Course, template: Template) -> None:
    """A worker that says it has shown sixty thousand errors does not hold the others up."""
    answer = (
        "import tensorgrade.worker.session as session\n"
        "shown = [{'output_type': 'error', 'ename': 'E', 'evalue': str(i), 'traceback': []} for i in range(60_000)]\n"
        "session._Session._run = lambda *_: (True, shown)"
    )
    started = time.monotonic()
    assert grade(course, template, "assert x == 1", answer).tasks[0].points == 0.0
    assert time.monotonic() - started < 20
