"""What courses do with nbgrader beside points: due dates, penalties, comments, several notebooks, data files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_notebook
from nbgrader.api import Gradebook

from tensorgrade.course import Course, Submission
from tensorgrade.errors import GradebookError
from tensorgrade.gradebook import Recorder, generate_feedback, generate_release
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import Report
from tensorgrade.notebooks import grade_id_of
from tensorgrade.reports import read_staff_json
from tensorgrade.sandbox.template import Template

TINY = Path(__file__).parent / "courses" / "tiny"
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning", "ignore::DeprecationWarning")
STUDENT = "Zoë van Dijk-Öz"
RIGHT = "def double(x):\n    return x + x"
HALF_OFF = """
from nbgrader.plugins import LateSubmissionPlugin

class HalfOff(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return score / 2

c.AssignLatePenalties.plugin_class = HalfOff
"""
READ = "def first():\n    return float(open('data/numbers.csv').read().split(',')[0])"
CHECKS = '''
@pytest.mark.task("first")
def test_reads_the_first_number(student):
    """The first number of the file is returned."""
    assert student.first() == 5.0


@pytest.mark.task("helped")
def test_uses_the_helper(student):
    """The helper is used."""
    assert student.helped() == 7
'''


def second_notebook(course: Course) -> None:
    """Give the assignment a second notebook with data, a helper that students edit, and a grade_id used before."""
    source = course.root / "source" / "tiny"
    (source / "data").mkdir()
    (source / "data" / "numbers.csv").write_text("5,6\n")
    (source / "helper.py").write_text("def seven():\n    return 7\n")
    notebook = nbformat.read(source / "tiny.ipynb", as_version=4)
    solution, grade, why = notebook.cells[2:5]
    cells = []
    for name, text in (("first", READ), ("helped", "import helper\nhelped = lambda: helper.seven()")):
        cells += [nbformat.from_dict(solution), nbformat.from_dict(grade)]
        cells[-2].source, cells[-2].metadata.nbgrader.grade_id = text, f"{name}-solution"
        cells[-1].source, cells[-1].metadata.nbgrader.grade_id = f"check('{name}')", name
    cells.append(why)
    for number, cell in enumerate(cells):
        cell.id = f"more-{number}"
    nbformat.write(new_notebook(cells=cells, metadata=notebook.metadata), source / "more.ipynb")
    with (course.root / "graders" / "tiny" / "test_hidden.py").open("a") as file:
        file.write(CHECKS)


class Classroom:
    """A course in which students hand in and everything is graded."""

    def __init__(self, root: Path, template: Template) -> None:
        self.root, self.template = root, template

    @property
    def course(self) -> Course:
        """The course, read afresh."""
        return Course.at(self.root)

    def configure(self, text: str) -> None:
        """Add to nbgrader_config.py."""
        with (self.root / "nbgrader_config.py").open("a") as file:
            file.write(text)

    def submit(self, student: str = STUDENT, **answers: str) -> Path:
        """Fill the release in, by grade_id with underscores."""
        folder = self.root / "submitted" / student / "tiny"
        shutil.copytree(self.root / "release" / "tiny", folder)
        for path in folder.glob("*.ipynb"):
            notebook = nbformat.read(path, as_version=4)
            for cell in notebook.cells:
                cell.source = answers.get((grade_id_of(cell) or "").replace("-", "_"), cell.source)
            nbformat.write(notebook, path)
        return folder

    def grade(self, student: str = STUDENT) -> Report:
        """Grade and record one submission."""
        assignment = self.course.assignment("tiny")
        report = Grader(assignment, self.template).grade(Submission(assignment, student))
        if report.status == "graded":
            Recorder(self.course).write_report(report)
        return report

    def kept(self, student: str = STUDENT) -> bool:
        """Whether `tensorgrade grade` would leave the submission as it is."""
        folder = Submission(self.course.assignment("tiny"), student).autograded
        report = read_staff_json(folder / "staff-report.json")
        return report is not None and Recorder(self.course).holds(report)

    def gradebook(self) -> Gradebook:
        """The course's gradebook."""
        return Gradebook(f"sqlite:///{self.root}/gradebook.db", "tiny-course")

    def score(self, student: str = STUDENT) -> float:
        """The submission's score after penalties, as nbgrader reports it."""
        with self.gradebook() as gradebook:
            submission = gradebook.find_submission("tiny", student)
            return submission.score - sum(book.late_submission_penalty or 0.0 for book in submission.notebooks)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny course with its release and a gradebook that knows it."""
    root = tmp_path_factory.mktemp("corners") / "course"
    shutil.copytree(TINY, root)
    generate_release(Course.at(root), "tiny")
    return root


@pytest.fixture
def classroom(released: Path, tmp_path: Path, template: Template) -> Classroom:
    """A copy of it."""
    shutil.copytree(released, tmp_path / "course")
    return Classroom(tmp_path / "course", template)


@pytest.fixture(scope="module")
def released_pair(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a second notebook, a data file and a helper module."""
    root = tmp_path_factory.mktemp("pair") / "course"
    shutil.copytree(released, root)
    second_notebook(Course.at(root))
    generate_release(Course.at(root), "tiny")
    return root


@pytest.fixture
def pair(released_pair: Path, tmp_path: Path, template: Template) -> Classroom:
    """A copy of that."""
    shutil.copytree(released_pair, tmp_path / "course")
    return Classroom(tmp_path / "course", template)


# Due dates


@pytest.fixture
def late(classroom: Classroom) -> Classroom:
    """A right submission, an hour after the due date, in a course that takes half of the points for that."""
    classroom.configure(HALF_OFF)
    with classroom.gradebook() as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate=datetime(2026, 2, 3, 12))
    folder = classroom.submit(double_solution=RIGHT)
    (folder / "timestamp.txt").write_text("2026-02-03 13:00:00 UTC")
    classroom.grade()
    return classroom


def test_late_penalty(late: Classroom) -> None:
    """The course's own plugin decides; the points of the report are those before it."""
    assert late.score() == 2.0
    assert late.kept()


def test_extension_of_one_student(late: Classroom) -> None:
    """With more time the penalty goes at the next grading, which does not keep the old result."""
    late.submit("Bo", double_solution=RIGHT)
    shutil.copy(late.root / "submitted" / STUDENT / "tiny" / "timestamp.txt", late.root / "submitted/Bo/tiny")
    late.grade("Bo")
    with late.gradebook() as gradebook:
        gradebook.grant_extension("tiny", STUDENT, hours=2)
    assert (late.kept(), late.kept("Bo")) == (False, True)
    late.grade()
    assert (late.score(), late.score("Bo")) == (4.0, 2.0)
    assert late.kept()


def test_new_due_date(late: Classroom) -> None:
    """A due date that moves lets everybody's penalty be computed again."""
    with late.gradebook() as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate=datetime(2026, 2, 4))
    assert not late.kept()


@pytest.mark.parametrize("text", ["yesterday", "2026-99-99", "\x00", "1" * 400])
def test_timestamp_that_is_none(late: Classroom, text: str) -> None:
    """A timestamp that cannot be read is one sentence, and the earlier result stays."""
    (late.root / "submitted" / STUDENT / "tiny" / "timestamp.txt").write_text(text)
    with pytest.raises(GradebookError, match=f"submission {STUDENT}/tiny: timestamp.txt: expected a time such as"):
        late.grade()
    assert late.score() == 2.0


# What people decide


def test_what_people_decide_survives_grading_again(classroom: Classroom) -> None:
    """Manual points, extra credit and comments stay, and the staff is asked to look again where points were theirs."""
    classroom.submit(double_solution=RIGHT.replace("x + x", "3 * x"), why="Because it is.")
    classroom.grade()
    with classroom.gradebook() as gradebook:
        why = gradebook.find_grade("why", "tiny", "tiny", STUDENT)
        assert (why.auto_score, why.needs_manual_grade) == (None, True)
        why.manual_score, why.needs_manual_grade = 1.5, False
        gradebook.find_grade("double", "tiny", "tiny", STUDENT).extra_credit = 0.5
        gradebook.find_comment("why", "tiny", "tiny", STUDENT).manual_comment = "Say more, Zoë."
        gradebook.find_comment("double-solution", "tiny", "tiny", STUDENT).manual_comment = "Nearly."
        gradebook.db.commit()
    classroom.grade()
    with classroom.gradebook() as gradebook:
        why, double = (gradebook.find_grade(name, "tiny", "tiny", STUDENT) for name in ("why", "double"))
        assert (why.manual_score, why.score, why.needs_manual_grade) == (1.5, 1.5, True)
        assert (double.auto_score, double.extra_credit, double.score) == (0.0, 0.5, 0.5)
        assert not double.needs_manual_grade
    generate_feedback(classroom.course, "tiny", [STUDENT])
    page = (classroom.root / "feedback" / STUDENT / "tiny" / "tiny.html").read_text()
    assert "Say more, Zoë." in page
    assert "Nearly." in page


# Odd notebooks


def test_copied_cell(classroom: Classroom) -> None:
    """Of a cell that the student has copied the last one counts, as in nbgrader; the first is still run."""
    path = classroom.submit(double_solution=RIGHT) / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    copies = [nbformat.from_dict(notebook.cells[index]) for index in (2, 3)]
    copies[0].source = "first = double\ndef double(x):\n    return first(x) + 1"
    for number, cell in enumerate(copies):
        cell.id = f"copy-{number}"
    notebook.cells += copies
    nbformat.write(notebook, path)
    assert classroom.grade().points == 0.0
    assert classroom.score() == 0.0


@pytest.mark.parametrize("whose", ["submitted", "source"])
def test_kernel_that_is_not_here(classroom: Classroom, whose: str) -> None:
    """A kernel of another name, on the student's machine or the instructor's, does not matter: none is started."""
    path = classroom.submit(double_solution=RIGHT) / "tiny.ipynb"
    path = path if whose == "submitted" else classroom.root / "source" / "tiny" / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["kernelspec"] = {"name": "dl-2019", "display_name": "DL (conda)", "language": "python"}
    nbformat.write(notebook, path)
    classroom.grade()
    assert classroom.score() == 4.0
    autograded = nbformat.read(classroom.root / "autograded" / STUDENT / "tiny" / "tiny.ipynb", as_version=4)
    assert autograded.metadata.kernelspec.name == "python3"


def test_renamed_notebook(classroom: Classroom) -> None:
    """The sentence names the file that was found, from our grading and from nbgrader's."""
    path = classroom.submit(double_solution=RIGHT) / "tiny.ipynb"
    graded = classroom.grade()
    path.rename(path.with_name("tiny-Zoë (1).ipynb"))
    missing = classroom.grade()
    sentence = f"submission {STUDENT}/tiny: expected tiny.ipynb, found tiny-Zoë (1).ipynb. Rename the student's file"
    assert (missing.status, sentence in str(missing.error)) == ("missing", True)
    with pytest.raises(GradebookError) as caught:
        Recorder(classroom.course).write_report(graded)
    assert sentence in str(caught.value)


# Several notebooks, data


ANSWERS = {"double_solution": RIGHT, "first_solution": READ, "helped_solution": "import helper\nhelped = helper.seven"}


def test_several_notebooks_and_data(pair: Classroom) -> None:
    """Each notebook has its own session and the data files; equal grade_ids of written answers stay apart."""
    folder = pair.submit(**ANSWERS)
    (folder / "data" / "numbers.csv").write_text("99\n")
    report = pair.grade()
    points = {task.name: task.points for task in report.tasks}
    assert points == {"first": 4.0, "helped": 4.0, "more/why": None, "double": 4.0, "tiny/why": None}
    assert list(report.as_json()["tasks"]) == list(points)
    assert pair.score() == 12.0
    assert pair.kept()
    beside = pair.root / "autograded" / STUDENT / "tiny"
    assert (beside / "data" / "numbers.csv").read_text() == "5,6\n"
    assert {path.name for path in beside.glob("*.ipynb")} == {"more.ipynb", "tiny.ipynb"}


def test_files_that_students_edit(pair: Classroom) -> None:
    """What `c.Autograde.exclude_overwriting` names is the student's; all else in source/ the instructor's."""
    folder = pair.submit(**ANSWERS)
    (folder / "helper.py").write_text("def seven():\n    return 8\n")
    assert {task.name: task.points for task in pair.grade().tasks}["helped"] == 4.0
    pair.configure("c.Autograde.exclude_overwriting = {'tiny': ['helper.py']}\n")
    assert {task.name: task.points for task in pair.grade().tasks}["helped"] == 0.0
    assert (pair.root / "autograded" / STUDENT / "tiny" / "helper.py").read_text().endswith("8\n")


def _remove(path: Path) -> None:
    path.unlink()


def _rename(path: Path) -> None:
    path.rename(path.with_name("more (2).ipynb"))


@pytest.mark.parametrize(("change", "status"), [(_remove, "graded"), (_rename, "missing")])
def test_one_of_several_notebooks(pair: Classroom, change: Callable[[Path], Any], status: str) -> None:
    """A notebook that was left out has no points; one that was renamed waits for its name."""
    folder = pair.submit(**ANSWERS)
    change(folder / "more.ipynb")
    report = pair.grade()
    assert report.status == status
    if status == "graded":
        assert (report.points, pair.score()) == (4.0, 4.0)
        assert pair.kept()
    else:
        assert "expected more.ipynb, found more (2).ipynb" in str(report.error)
