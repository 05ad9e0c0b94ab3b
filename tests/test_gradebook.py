"""What arrives in nbgrader: points, outputs, releases, feedback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from traitlets.config import Config

from tensorgrade.course import Course
from tensorgrade.errors import GradebookError
from tensorgrade.gradebook import PAGE_FILTERS, Recorder, generate_feedback, generate_release
from tensorgrade.grading.records import CheckRecord, Provenance, Report, Status, TaskRecord
from tensorgrade.notebooks import read_notebook, restore, student_version, with_outputs
from tests.commands import run

TINY = Path(__file__).parent / "courses" / "tiny"
# SQLAlchemy 2.1 warns about nbgrader's own models.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def empty_gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gradebook.db with tables and nothing else: nbgrader needs two seconds for one."""
    path = tmp_path_factory.mktemp("empty") / "gradebook.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        Gradebook(f"sqlite:///{path}", "tiny-course").close()
    return path


@pytest.fixture
def course(fresh_course: Course, empty_gradebook: Path) -> Course:
    """A course with one assignment and one submission; nothing is registered."""
    shutil.copy(empty_gradebook, fresh_course.root / "gradebook.db")
    return fresh_course


@pytest.fixture
def fresh_course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    """A course with one assignment, one submission, and no gradebook.db."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # as in a service: nbgrader must find alembic all the same
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    shutil.copytree(TINY, tmp_path / "course")
    course = Course.at(tmp_path / "course")
    submit(course, "ada")
    return course


def write_report(course: Course, report: Report) -> None:
    """Store one report."""
    Recorder(course).write_report(report)


def submit(course: Course, student: str, why: str = "Because.") -> Path:
    notebook = student_version(source(course))
    notebook.cells[2].source = "def double(x):\n    return x + x"
    notebook.cells[4].source = why
    path = course.root / "submitted" / student / "tiny" / "tiny.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def source(course: Course) -> NotebookNode:
    return read_notebook(course.root / "source" / "tiny" / "tiny.ipynb")


def report(course: Course, student: str = "ada", points: float | None = 3.0, status: Status = Status.FAILED) -> Report:
    submitted = read_notebook(course.root / "submitted" / student / "tiny" / "tiny.ipynb")
    printed = {2: [{"output_type": "stream", "name": "stdout", "text": "hello from the student"}]}
    return Report(
        assignment="tiny",
        student=student,
        status="graded",
        tasks=(TaskRecord("double", "tiny", 4.0, points), TaskRecord("why", "tiny", 2.0, None, manual=True)),
        checks=(
            CheckRecord("double", "test_doubles_three_numbers", "One becomes two.", False, 3, Status.PASSED),
            CheckRecord(
                "double",
                "test_doubles_any_tensor",
                "Every element is doubled.",
                hidden=True,
                weight=1,
                status=status,
                hint="Look at the sign.",
                rationale="expected 0.123456",
                seed=424242,
            ),
        ),
        notebooks={"tiny": with_outputs(restore(submitted, source(course)), printed)},
        provenance=Provenance("ab", {"torch": "2"}, "namespaces"),
    )


def gradebook(course: Course) -> Gradebook:
    return Gradebook(f"sqlite:///{course.root}/gradebook.db", "tiny-course")


def grade(course: Course, task: str, student: str = "ada") -> tuple[float | None, float | None, bool, float]:
    with gradebook(course) as database:
        found = database.find_grade(task, "tiny", "tiny", student)
        return found.auto_score, found.manual_score, found.needs_manual_grade, found.score


def autograded(course: Course, student: str = "ada") -> NotebookNode:
    return nbformat.read(course.root / "autograded" / student / "tiny" / "tiny.ipynb", as_version=4)


def nbgrader(course: Course, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(course.root, "nbgrader", *arguments)


# Reports


def test_write_report_on_a_fresh_clone(fresh_course: Course) -> None:
    """Points arrive in the gradebook although there was none, and nobody generated a release."""
    course = fresh_course
    write_report(course, report(course))
    assert grade(course, "double") == (3.0, None, False, 3.0)
    assert grade(course, "why") == (None, None, True, 0.0)
    assert not (course.root / "release").exists()


def test_write_report_fills_the_autograded_notebook(course: Course) -> None:
    """The grade cell has the points and the table first, the other cells what they printed."""
    write_report(course, report(course))
    notebook = autograded(course)
    nbformat.validate(notebook)
    (output,) = notebook.cells[3].outputs
    assert (output.output_type, output.data["text/plain"]) == ("execute_result", "3.0")
    assert "Every element is doubled." in output.data["text/html"]
    assert notebook.cells[2].outputs[0].text == "hello from the student"


def test_write_report_leaves_a_broken_task_to_staff(course: Course) -> None:
    """A task with a broken check has no points and waits for a person."""
    write_report(course, report(course, points=None, status=Status.BROKEN))
    assert grade(course, "double") == (None, None, True, 0.0)
    assert autograded(course).cells[3].outputs[0].output_type == "display_data"


def test_write_report_keeps_manual_scores(course: Course) -> None:
    """What a TA decided survives another autograding."""
    write_report(course, report(course))
    with gradebook(course) as database:
        database.find_grade("why", "tiny", "tiny", "ada").manual_score = 1.5
        database.find_grade("double", "tiny", "tiny", "ada").manual_score = 4.0
        database.find_grade("double", "tiny", "tiny", "ada").needs_manual_grade = False
        database.db.commit()
    write_report(course, report(course, points=2.0))
    assert grade(course, "why") == (None, 1.5, True, 1.5)
    assert grade(course, "double") == (2.0, 4.0, True, 4.0)


def test_write_report_gives_nothing_for_an_unchanged_answer(course: Course) -> None:
    """A written answer that nobody wrote has no points, without a person's help."""
    submit(course, "ada", why="YOUR ANSWER HERE")
    write_report(course, report(course))
    assert grade(course, "why") == (0.0, None, False, 0.0)


def test_write_report_writes_the_staff_report(course: Course) -> None:
    """The staff's reports lie beside the autograded notebook."""
    write_report(course, report(course))
    folder = course.root / "autograded" / "ada" / "tiny"
    assert "expected 0.123456" in (folder / "staff-report.html").read_text()
    assert json.loads((folder / "staff-report.json").read_text())["checks"][1]["seed"] == 424242


def test_a_recorder_writes_many_reports(course: Course) -> None:
    """One Recorder writes each report to its own student."""
    students = ["ada", "bob smith", "ünal"]
    for student in students:
        submit(course, student)
    recorder = Recorder(course)
    for points, student in enumerate(students):
        recorder.write_report(report(course, student, points=float(points)))
    assert [grade(course, "double", student)[0] for student in students] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("student", ["*", "a?a", "[a]da", " ada"])
def test_write_report_refuses_a_name_that_matches_others(course: Course, student: str) -> None:
    """A folder that is named like a pattern cannot write to another student."""
    with pytest.raises(GradebookError, match="nbgrader needs names without"):
        write_report(course, replace(report(course), student=student))


def unreadable(graded: Report) -> Report:
    return replace(graded, status="unreadable", error="tiny.ipynb: not JSON")


def other_student(graded: Report) -> Report:
    return replace(graded, student="bob")


def other_sources(graded: Report) -> Report:
    notebook = nbformat.from_dict(graded.notebooks["tiny"])
    notebook.cells[2].source = "def double(x): return 5"
    return replace(graded, notebooks={"tiny": notebook})


def no_notebook(graded: Report) -> Report:
    return replace(graded, notebooks={})


def no_task(graded: Report) -> Report:
    return replace(graded, tasks=graded.tasks[1:])


def many_points(graded: Report) -> Report:
    return replace(graded, tasks=(replace(graded.tasks[0], points=4.5), *graded.tasks[1:]))


def nan_points(graded: Report) -> Report:
    return replace(graded, tasks=(replace(graded.tasks[0], points=float("nan")), *graded.tasks[1:]))


def other_max_points(graded: Report) -> Report:
    return replace(graded, tasks=(replace(graded.tasks[0], max_points=8.0), *graded.tasks[1:]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (unreadable, "submission ada/tiny: tiny.ipynb: not JSON"),
        (other_sources, "submission ada/tiny: the notebook changed since it was graded"),
        (no_notebook, "holds no notebook 'tiny'"),
        (no_task, "task double: the report does not mention it"),
        (many_points, "task double: expected 0 to 4 points, got 4.5"),
        (nan_points, "task double: expected 0 to 4 points, got nan"),
        (other_max_points, "task double: graded with 8 points, now 4"),
    ],
)
def test_write_report_fails_closed(course: Course, change: Any, reason: str) -> None:
    """A report that does not fit changes nothing: the result that was there stays."""
    write_report(course, report(course))
    before = autograded(course)
    with pytest.raises(GradebookError, match=reason):
        write_report(course, change(report(course, points=1.0)))
    assert autograded(course) == before
    assert grade(course, "double")[0] == 3.0
    assert [path.name for path in (course.root / "autograded" / "ada").iterdir()] == ["tiny"]


def test_failed_report_leaves_nothing_in_the_gradebook(course: Course) -> None:
    """What nbgrader has stored of a submission before a report turns out wrong is taken back with it."""
    with pytest.raises(GradebookError, match="expected 0 to 4 points"):
        write_report(course, many_points(report(course)))
    with gradebook(course) as database, pytest.raises(MissingEntry):
        database.find_submission("tiny", "ada")


def test_write_report_of_a_missing_submission(course: Course) -> None:
    """Without a submitted folder there is nothing to write to, and nbgrader's reason is given."""
    graded = replace(report(course), student="nobody")
    with pytest.raises(GradebookError, match="No notebooks were matched"):
        write_report(course, graded)


def test_write_report_recovers_from_a_kill(course: Course) -> None:
    """A result that was set aside when the process was killed is put back."""
    write_report(course, report(course))
    folder = course.root / "autograded" / "ada" / "tiny"
    folder.rename(folder.with_name(".tiny.before"))
    with pytest.raises(GradebookError):
        write_report(course, unreadable(report(course)))
    assert autograded(course).cells[3].outputs[0].data["text/plain"] == "3.0"


# Registering


def test_changed_points_reach_the_gradebook(course: Course) -> None:
    """New points in the source are the gradebook's at the next report."""
    write_report(course, report(course))
    notebook = source(course)
    notebook.cells[3].metadata.nbgrader.points = 8
    nbformat.write(notebook, course.root / "source" / "tiny" / "tiny.ipynb")
    write_report(course, other_max_points(report(course, points=6.0)))
    with gradebook(course) as database:
        assert database.find_submission("tiny", "ada").max_score == 10.0
    assert grade(course, "double")[0] == 6.0


def test_added_cells_are_refused_once_there_are_submissions(course: Course) -> None:
    """Nbgrader cannot add cells to a graded assignment; the error says what to do."""
    write_report(course, report(course))
    notebook = source(course)
    notebook.cells[3].metadata.nbgrader.grade_id = "twice"
    nbformat.write(notebook, course.root / "source" / "tiny" / "tiny.ipynb")
    with pytest.raises(GradebookError, match=r"\+tiny\.ipynb:twice, -tiny\.ipynb:double\).*db assignment remove tiny"):
        write_report(course, report(course))


def test_changed_cells_without_submissions(course: Course) -> None:
    """As long as nothing is graded, cells come and go freely."""
    generate_release(course, "tiny")
    notebook = source(course)
    notebook.cells[3].metadata.nbgrader.grade_id = "twice"
    nbformat.write(notebook, course.root / "source" / "tiny" / "tiny.ipynb")
    generate_release(course, "tiny")
    with gradebook(course) as database:
        assert [cell.name for cell in database.find_notebook("tiny", "tiny").grade_cells] == ["twice", "why"]


# Releases and feedback


def test_generate_release(course: Course) -> None:
    """A release holds the student version and the public checks, and no hidden one."""
    generate_release(course, "tiny")
    release = course.root / "release" / "tiny"
    assert sorted(path.name for path in release.iterdir()) == ["test_public.py", "tiny.ipynb"]
    assert read_notebook(release / "tiny.ipynb") == student_version(source(course))


def test_generate_release_keeps_the_old_one_on_failure(course: Course) -> None:
    """A source that nbgrader refuses does not cost the release that is there."""
    generate_release(course, "tiny")
    notebook = source(course)
    notebook.cells[2].source = "### BEGIN SOLUTION"
    nbformat.write(notebook, course.root / "source" / "tiny" / "tiny.ipynb")
    with pytest.raises(Exception, match="no end solution statement"):
        generate_release(course, "tiny")
    assert (course.root / "release" / "tiny" / "tiny.ipynb").is_file()


def test_generate_release_puts_it_into_the_exchange(course: Course) -> None:
    """With an exchange in the settings, students can fetch the assignment, and a newer one later."""
    exchange = course.root.parent / "exchange"
    exchange.mkdir(mode=0o777)
    exchange.chmod(0o777)
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write(f"c.Exchange.root = {str(exchange)!r}\n")
    for _ in range(2):
        generate_release(course, "tiny")
        assert (exchange / "tiny-course" / "outbound" / "tiny" / "test_public.py").is_file()


def test_feedback_tells_what_students_may_read(course: Course) -> None:
    """Feedback shows sentences, hints and points, no rationale or seed, and no staff report."""
    write_report(course, report(course))
    generate_feedback(course, "tiny")
    folder = course.root / "feedback" / "ada" / "tiny"
    page = (folder / "tiny.html").read_text()
    for part in (
        "Every element is doubled.",
        "Look at the sign.",
        "Score: 3.0 / 4.0",
        "hello from the student",
    ):
        assert part in page
    for secret in ("0.123456", "424242", "test_doubles_any_tensor"):
        assert secret not in page
    assert [path.name for path in folder.iterdir()] == ["tiny.html"]


def test_feedback_of_some_students(course: Course) -> None:
    """Only the students asked for get feedback."""
    submit(course, "bob")
    for student in ("ada", "bob"):
        write_report(course, report(course, student))
    generate_feedback(course, "tiny", ["bob"])
    assert [path.name for path in (course.root / "feedback").iterdir()] == ["bob"]
    with pytest.raises(GradebookError, match="No notebooks were matched"):
        generate_feedback(course, "tiny", ["nobody"])


def test_feedback_runs_nothing_of_a_student(course: Course) -> None:
    """A script in a written answer does not reach the page, the rest of the answer does."""
    submit(
        course,
        "ada",
        "Because **so**. <script>evil()</script><img src=x onerror=evil()> [a](javascript:evil())",
    )
    write_report(course, report(course))
    generate_feedback(course, "tiny")
    page = (course.root / "feedback" / "ada" / "tiny" / "tiny.html").read_text()
    assert "<strong>so</strong>" in page
    assert "evil()" not in page


SLOW = [
    pytest.param("code", "x" + ".a" * 100_000, id="chain of attributes"),
    pytest.param("code", "   \n" * 60_000, id="blank lines"),
    pytest.param("code", "x" + " .a" * 6_000 + "\n" + "\n".join(["y = 1"] * 1000), id="long line"),
    pytest.param("markdown", "\\begin{a}" * 50_000, id="unfinished formulas"),
]


@pytest.mark.parametrize(("kind", "text"), SLOW)
def test_texts_that_take_long_are_shown_as_they_are(kind: str, text: str) -> None:
    """What would keep a lexer or a parser busy for hours is neither coloured nor rendered; other cells still are."""
    cells = [nbformat.v4.new_code_cell("import os"), nbformat.v4.new_markdown_cell("**bold**")]
    odd = nbformat.v4.new_code_cell(text) if kind == "code" else nbformat.v4.new_markdown_cell(text)
    exporter = HTMLExporter(config=Config({"HTMLExporter": {"filters": dict(PAGE_FILTERS)}}))
    page = exporter.from_notebook_node(nbformat.v4.new_notebook(cells=[odd]))[0]
    assert text in page
    ordinary = exporter.from_notebook_node(nbformat.v4.new_notebook(cells=cells))[0]
    assert '<span class="kn">import</span>' in ordinary
    assert "<strong>bold</strong>" in ordinary


# nbgrader's own commands


def test_nbgrader_generate_assignment_makes_the_same_release(course: Course) -> None:
    """The command of nbgrader and ours make the same release and the same gradebook."""
    generate_release(course, "tiny")
    release = course.root / "release" / "tiny"
    ours = {path.name: path.read_bytes() for path in release.iterdir()}
    result = nbgrader(course, "generate_assignment", "tiny", "--force")
    assert result.returncode == 0, result.stderr
    assert {path.name: path.read_bytes() for path in release.iterdir()} == ours
    write_report(course, report(course))


@pytest.fixture
def hostile(course: Course) -> Path:
    """A submission whose metadata make nbgrader's own steps crash."""
    path = course.root / "submitted" / "ada" / "tiny" / "tiny.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][0]["metadata"] = []
    notebook["cells"][3]["metadata"]["nbgrader"] = [1]
    notebook["cells"][2]["metadata"]["tags"] = ["skip-execution"]
    path.write_text(json.dumps(notebook))
    return path


def test_write_report_on_odd_metadata(course: Course, hostile: Path) -> None:
    """Metadata that nbgrader cannot read do not cost the student anything."""
    write_report(course, report(course))
    assert grade(course, "double")[0] == 3.0
    assert "tags" not in autograded(course).cells[3].metadata


def test_nbgrader_autograde_grades(course: Course) -> None:
    """`nbgrader autograde` alone, as formgrader's button does it, runs the checks and saves the points."""
    submit(course, "bob")
    wrong = course.root / "submitted" / "bob" / "tiny" / "tiny.ipynb"
    wrong.write_text(wrong.read_text().replace("return x + x", "return 3 * x"))
    result = nbgrader(course, "autograde", "tiny")
    assert result.returncode == 0, result.stderr
    assert grade(course, "double", "ada") == (4.0, None, False, 4.0)
    assert grade(course, "double", "bob") == (0.0, None, False, 0.0)


def test_nbgrader_autograde_leaves_an_unreadable_submission_ungraded(course: Course) -> None:
    """A file that is no notebook has no points, and nbgrader says why."""
    (course.root / "submitted" / "ada" / "tiny" / "tiny.ipynb").write_text("[" * 100_000)
    result = nbgrader(course, "autograde", "tiny")
    assert result.returncode == 1
    assert "tiny.ipynb: nested more than" in result.stderr
    assert not (course.root / "autograded" / "ada" / "tiny").exists()
