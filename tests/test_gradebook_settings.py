"""Courses with settings of their own: header, footer, stubs and delimiters in nbgrader_config.py."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Gradebook

from tensorgrade.course import DECIDING_STEPS, Course
from tensorgrade.errors import GraderError, UsageError
from tensorgrade.gradebook import Recorder, generate_release
from tensorgrade.notebooks import Steps, gradebook_version, read_notebook, restore, student_version
from tensorgrade.notebooks.steps import GRADEBOOK_STEPS, STUDENT_STEPS
from tests.commands import run

TINY = Path(__file__).parent / "courses" / "tiny"
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning", "ignore::DeprecationWarning")
SETTINGS = """
c.IncludeHeaderFooter.header = "source/header.ipynb"
c.IncludeHeaderFooter.footer = "source/footer.ipynb"
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError('write me')"}
c.ClearSolutions.text_stub = "Write here."
c.ClearSolutions.begin_solution_delimeter = "ANSWER {"
c.ClearSolutions.end_solution_delimeter = "} ANSWER"
c.ClearHiddenTests.begin_test_delimeter = "SECRET {"
c.ClearHiddenTests.end_test_delimeter = "} SECRET"
c.ClearMarkScheme.begin_mark_scheme_delimeter = "SCHEME {"
c.ClearMarkScheme.end_mark_scheme_delimeter = "} SCHEME"
"""
STUDENTS = {"ann": "def double(x):\n    return FACTOR * x", "bob": "def double(x):\n    return x"}
POINTS = {"ann": 4.0, "bob": 0.0}


def cell_of(role: str, name: str, **more: object) -> dict[str, object]:
    roles = {"grade": False, "solution": False, "locked": False, "task": False, role: True}
    return {"nbgrader": {**roles, "grade_id": name, "schema_version": 3, **more}}


def make_course(root: Path) -> None:
    """The tiny course with a header that the solution needs, a footer graded by hand, and other delimiters."""
    shutil.copytree(TINY, root)
    header = [new_markdown_cell("# The course"), new_code_cell("FACTOR = 2", metadata=cell_of("locked", "factor"))]
    footer = [new_markdown_cell("Alone.", metadata=cell_of("grade", "honour", solution=True, points=1))]
    nbformat.write(new_notebook(cells=header), root / "source" / "header.ipynb")
    nbformat.write(new_notebook(cells=footer), root / "source" / "footer.ipynb")
    path = root / "source" / "tiny" / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].source = "def double(x):\n    ### ANSWER {\n    return FACTOR * x\n    ### } ANSWER"
    notebook.cells[3].source = 'check("double")\n### SECRET {\nassert 31337\n### } SECRET'
    nbformat.write(notebook, path)
    with (root / "nbgrader_config.py").open("a") as file:
        file.write(SETTINGS)


def submit(course: Path) -> None:
    """Each student fills the released notebook in."""
    for student, solution in STUDENTS.items():
        folder = course / "submitted" / student / "tiny"
        shutil.copytree(course / "release" / "tiny", folder)
        notebook = nbformat.read(folder / "tiny.ipynb", as_version=4)
        cell = next(cell for cell in notebook.cells if "def double" in cell.source)
        cell.source = solution
        nbformat.write(notebook, folder / "tiny.ipynb")


def saved(course: Path) -> dict[str, dict[str, float | None]]:
    """The automatic points in the gradebook, by student and cell."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "tiny-course") as gebook:
        found = gebook.assignment_submissions("tiny")
        return {one.student.id: {g.name: g.auto_score for g in one.notebooks[0].grades} for one in found}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course, released, handed in and graded by `tensorgrade`."""
    course = tmp_path_factory.mktemp("framed") / "course"
    make_course(course)
    generate_release(Course.at(course), "tiny")
    submit(course)
    done = run(course, "tensorgrade", "grade", "tiny", "--json", "grades.json")
    assert done.returncode == 0, done.stderr
    return course


@pytest.fixture
def copied(graded: Path, tmp_path: Path) -> Path:
    """A copy of it in which nothing is graded."""
    course = tmp_path / "course"
    shutil.copytree(graded, course)
    shutil.rmtree(course / "autograded")
    (course / "gradebook.db").unlink()
    return course


def test_release_follows_the_settings(graded: Path) -> None:
    """Students get header, footer and the course's stub, and nothing between the course's delimiters."""
    cells = nbformat.read(graded / "release" / "tiny" / "tiny.ipynb", as_version=4).cells
    assert [cells[0].source, cells[1].source, cells[-1].source] == ["# The course", "FACTOR = 2", "Write here."]
    assert "    raise NotImplementedError('write me')" in next(c.source for c in cells if "def double" in c.source)
    text = (graded / "release" / "tiny" / "tiny.ipynb").read_text()
    assert [secret for secret in ("31337", "ANSWER", "SECRET", "return FACTOR") if secret in text] == []


def test_grade_follows_the_settings(graded: Path) -> None:
    """The solution finds what the header defines, and header and footer are in the autograded notebook."""
    document = json.loads((graded / "grades.json").read_text())
    assert {one["student"]: one["points"] for one in document["submissions"]} == POINTS
    assert saved(graded) == {name: {"double": points, "why": 0.0, "honour": 0.0} for name, points in POINTS.items()}
    cells = nbformat.read(graded / "autograded" / "ann" / "tiny" / "tiny.ipynb", as_version=4).cells
    assert (cells[1].source, cells[-1].metadata.nbgrader.grade_id) == ("FACTOR = 2", "honour")


def test_nbgrader_autograde_follows_settings_and_awards(graded: Path, copied: Path) -> None:
    """`nbgrader autograde` and formgrader's button give the same points on a fresh clone, and what was awarded."""
    (copied / "graders" / "tiny" / "awarded.toml").write_text("[test_doubles_three_numbers]\nreason = 'Unclear.'\n")
    source = (
        "from nbgrader.apps import AutogradeApp, NbGraderAPI; from nbgrader.apps.baseapp import NbGrader\n"
        "command = AutogradeApp(); command.initialize(['tiny', '--student', 'ann']); command.start()\n"
        "app = NbGrader(); app.initialize([])\n"
        "print(NbGraderAPI(config=app.config).autograde('tiny', 'bob')['success'])"
    )
    done = subprocess.run([sys.executable, "-c", source], cwd=copied, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["True"], done.stderr
    expected = saved(graded)
    expected["bob"]["double"] = 1.0
    assert saved(copied) == expected


def test_nbgrader_generate_assignment_makes_the_same_release(copied: Path) -> None:
    """The command of nbgrader makes the release that ours has made, and grading goes on from there."""
    release = copied / "release" / "tiny" / "tiny.ipynb"
    ours = read_notebook(release)
    assert run(copied, "nbgrader", "generate_assignment", "tiny", "--force").returncode == 0
    theirs = read_notebook(release)
    assert [(c.source, c.metadata) for c in theirs.cells] == [(c.source, c.metadata) for c in ours.cells]


def test_settings_decide_the_key(graded: Path, tmp_path: Path) -> None:
    """What students were given decides a grade: another header or stub means grading again."""
    shutil.copytree(graded, tmp_path / "course")
    root = tmp_path / "course"
    hashes = [Course.at(root).assignment("tiny").sha256()]
    header = root / "source" / "header.ipynb"
    header.write_text(header.read_text().replace("FACTOR = 2", "FACTOR = 3"))
    hashes.append(Course.at(root).assignment("tiny").sha256())
    config = root / "nbgrader_config.py"
    config.write_text(config.read_text().replace("write me", "write this"))
    hashes.append(Course.at(root).assignment("tiny").sha256())
    config.write_text(config.read_text() + "c.Exchange.root = '/nowhere'\n")
    hashes.append(Course.at(root).assignment("tiny").sha256())
    assert len(set(hashes)) == 3
    assert hashes[2] == hashes[3]
    assert set(GRADEBOOK_STEPS + STUDENT_STEPS) <= set(DECIDING_STEPS)


def test_steps_can_be_switched_off(graded: Path) -> None:
    """A step that the course has switched off changes nothing."""
    course = Course.at(graded)
    course.nbgrader_config.IncludeHeaderFooter.enabled = False
    course.nbgrader_config.ClearSolutions.enabled = False
    steps = Steps(course.nbgrader_config, course.root)
    source = steps.read_source(graded / "source" / "tiny" / "tiny.ipynb")
    assert source.cells[0].source.startswith("# Tiny")
    assert "return FACTOR * x" in student_version(source, steps).cells[2].source


def test_restore_follows_the_stub(graded: Path) -> None:
    """An answer that still is the course's own stub is known as unchanged."""
    course = Course.at(graded)
    steps = Steps(course.nbgrader_config, course.root)
    source = steps.read_source(graded / "source" / "tiny" / "tiny.ipynb")
    restored = restore(student_version(source, steps), source, steps)
    assert [cell.source for cell in restored.cells] == [cell.source for cell in gradebook_version(source, steps).cells]


def test_a_header_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    """The error names the setting and the file."""
    make_course(tmp_path / "course")
    (tmp_path / "course" / "source" / "header.ipynb").unlink()
    with pytest.raises(
        GraderError, match=r"^nbgrader_config\.py: c\.IncludeHeaderFooter\.header = 'source/header\.ipy"
    ):
        generate_release(Course.at(tmp_path / "course"), "tiny")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param("c = get_config()", "nbgrader is not set up for the sandbox", id="no configure"),
        pytest.param("c = get_conf()", "cannot be used: NameError", id="error in the file"),
        pytest.param("c = get_config()\nc.CourseDirectory.course_id = 3", "cannot be used", id="wrong type"),
        pytest.param(
            "from tensorgrade.gradebook import configure\nc = get_config()\nconfigure(c)\n"
            "c.Autograde.autograde_preprocessors.append('nbgrader.preprocessors.Execute')",
            "nbgrader is not set up for the sandbox",
            id="Execute added",
        ),
    ],
)
def test_a_course_in_which_nbgrader_would_run_code_is_refused(tmp_path: Path, config: str, message: str) -> None:
    """Without `configure(c)` nbgrader would run what students wrote outside the sandbox."""
    shutil.copytree(TINY, tmp_path / "course")
    (tmp_path / "course" / "nbgrader_config.py").write_text(config)
    with pytest.raises(UsageError, match=message):
        Recorder(Course.at(tmp_path / "course"))
