"""The assignment `attention`: its grader is graded, its release is fresh and gives nothing away."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from tensorgrade.course import Course, Submission
from tensorgrade.gradebook import generate_release
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import Report, Status
from tensorgrade.notebooks import CellEdits, read_edits, read_notebook, with_edits
from tensorgrade.sandbox.template import Template

ROOT = Path(__file__).parents[1]
MUTANTS = sorted((ROOT / "graders" / "attention" / "mutants").glob("*.py"))
HONEST = sorted((ROOT / "graders" / "attention" / "variants").glob("*.py"))
SAMPLES = sorted((ROOT / "demo" / "submissions").glob("*.py"))
POINTS = {"attend": 19.0, "masks": 12.0, "positions": 8.0, "heads": 19.0, "layer": 10.0, "reviews": 17.0}
# What a student builds on: a mistake in one task may cost points in those that use it.
USES = {
    "heads": {"attend"},
    "layer": {"attend", "heads"},
    "reviews": {"attend", "masks", "positions", "heads", "layer"},
}
TRAINS = ("test_learns_negation",)


@dataclass(frozen=True)
class Classroom:
    """The grader of the assignment and a place to hand notebooks in."""

    course: Course
    grader: Grader

    def grade(self, edits: CellEdits, folder: str = "source") -> Report:
        """Grade the source or the release with some cells replaced."""
        notebook = read_notebook(self.course.root / folder / "attention" / "attention.ipynb")
        submission = Submission(self.course.assignment("attention"), "ada")
        submission.folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(with_edits(notebook, edits), submission.folder / "attention.ipynb")
        return self.grader.grade(submission)


def open_classroom(template: Template, root: Path, *, trains: bool) -> Classroom:
    """A copy of the course, so that nothing is written into the checkout, with or without the check that trains."""
    for name in ("source", "release", "graders"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    if not trains:
        (root / "graders" / "attention" / "test_hidden_training.py").unlink()
    course = Course.at(root)
    return Classroom(course, Grader(course.assignment("attention"), template))


@pytest.fixture(scope="module")
def classroom(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    """The assignment as it is."""
    return open_classroom(template, tmp_path_factory.mktemp("course"), trains=True)


@pytest.fixture(scope="module")
def quick(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Classroom:
    """The assignment without the check that trains for seconds."""
    return open_classroom(template, tmp_path_factory.mktemp("quick"), trains=False)


def points(report: Report) -> dict[str, float | None]:
    """Points by autograded task."""
    return {task.name: task.points for task in report.tasks if not task.manual}


def failed(report: Report) -> set[str]:
    """The names of the checks that did not pass."""
    return {check.name for check in report.checks if check.status is not Status.PASSED}


def listed(text: str) -> set[str]:
    """The names in a header such as ``killed by: a, b``."""
    return {name.strip() for name in text.split(",") if name.strip()}


def test_reference_earns_all_points(classroom: Classroom) -> None:
    """The solution passes every check, and no check is broken."""
    report = classroom.grade(CellEdits("", {}, {}))
    assert classroom.grader.broken == ()
    assert points(report) == POINTS
    assert failed(report) == set()


def test_untouched_release_earns_nothing(classroom: Classroom) -> None:
    """A student who hands in the release as it is gets no point, and a hint for each check."""
    report = classroom.grade(CellEdits("", {}, {}), "release")
    assert points(report) == dict.fromkeys(POINTS, 0.0)
    assert all(check.hint for check in report.checks)


def require_rejected(report: Report, edits: CellEdits) -> None:
    """The report rejects a mutant: by the checks that claim it, in its own task and in none that it has no part in."""
    losing = {name for name, value in points(report).items() if value != POINTS[name]}
    listed_tasks = listed(edits.headers["loses"])
    dependent = {task for task, used in USES.items() if used & listed_tasks}
    assert listed_tasks <= losing <= listed_tasks | dependent
    assert listed(edits.headers["killed by"]) <= failed(report)


@pytest.mark.parametrize("path", MUTANTS, ids=lambda path: path.stem)
def test_mutant_is_rejected(classroom: Classroom, quick: Classroom, path: Path) -> None:
    """A mutant fails the checks that claim it and loses points only where it is wrong."""
    edits = read_edits(path)
    trains = listed(edits.headers["killed by"]) & set(TRAINS)
    require_rejected((classroom if trains else quick).grade(edits), edits)


@pytest.mark.proof
@pytest.mark.parametrize("path", MUTANTS, ids=lambda path: path.stem)
def test_mutant_is_rejected_by_the_whole_grader(classroom: Classroom, path: Path) -> None:
    """The same with training."""
    edits = read_edits(path)
    require_rejected(classroom.grade(edits), edits)


def test_every_hidden_check_and_task_has_a_mutant(classroom: Classroom) -> None:
    """No hidden check and no task is without a mutant that proves it."""
    headers = [read_edits(path).headers for path in MUTANTS]
    claimed = set().union(*(listed(header["killed by"]) for header in headers))
    report = classroom.grade(CellEdits("", {}, {}))
    assert claimed >= {check.name for check in report.checks if check.hidden}
    assert set().union(*(listed(header["loses"]) for header in headers)) == set(POINTS)


def require_full_points(report: Report, edits: CellEdits) -> None:
    """The report gives all points of the tasks whose cells were edited."""
    tasks = {name.removesuffix("-solution") for name in edits.cells} & set(POINTS)
    lost = {
        check.name: check.rationale for check in report.checks if check.task in tasks and check.name in failed(report)
    }
    assert lost == {}
    assert {task: points(report)[task] for task in tasks} == {task: POINTS[task] for task in tasks}


@pytest.mark.parametrize("path", HONEST, ids=lambda path: path.stem)
def test_honest_styles_earn_all_points(classroom: Classroom, quick: Classroom, path: Path) -> None:
    """A correct solution in another style loses nothing; models in other styles are trained too."""
    edits = read_edits(path)
    grader = classroom if "reviews-solution" in edits.cells else quick
    require_full_points(grader.grade(edits), edits)


@pytest.mark.proof
@pytest.mark.parametrize("number", range(20))
def test_honest_styles_keep_all_points_on_other_secrets(template: Template, tmp_path: Path, number: int) -> None:
    """With another course secret, so with other inputs, data and seeds, nobody loses a point by luck.

    Two of the models are trained with each secret, in turn, beside the reference.
    """
    models = [path for path in HONEST if path.stem.startswith("transformer")]
    trained = {models[number % len(models)], models[(number + 1) % len(models)]}
    for trains in (True, False):
        root = tmp_path / f"trains-{trains}"
        (root / ".tensorgrade").mkdir(mode=0o700, parents=True)
        (root / ".tensorgrade" / "secret").write_text(hashlib.sha256(b"%d" % number).hexdigest() + "\n")
        room = open_classroom(template, root, trains=trains)
        assert room.grader.broken == ()
        for path in HONEST:
            if (path in trained) == trains:
                edits = read_edits(path)
                require_full_points(room.grade(edits), edits)


def test_cheat_leaks_and_gains_nothing(quick: Classroom) -> None:
    """The sample that reads files and patches torch gets no point and no file of the course."""
    report = quick.grade(read_edits(ROOT / "demo" / "submissions" / "hugo.py"), "release")
    assert points(report) == dict.fromkeys(POINTS, 0.0)
    assert "scaled_dot_product_attention(" not in str(report.notebooks)


def test_release_is_fresh(classroom: Classroom) -> None:
    """The committed release is what `tensorgrade release attention` makes today."""
    generate_release(classroom.course, "attention")
    made, committed = (root / "release" / "attention" for root in (classroom.course.root, ROOT))
    names = sorted(path.name for path in committed.iterdir())
    assert names == sorted(path.name for path in made.iterdir()) == ["attention.ipynb", "test_public.py", "worker"]
    for name in ("attention.ipynb", "test_public.py", "worker/training.py"):
        assert (made / name).read_text() == (committed / name).read_text(), f"make release, {name}"


def test_release_gives_nothing_away() -> None:
    """No solution line, hidden check, seed or output is in the release."""
    released = read_notebook(ROOT / "release" / "attention" / "attention.ipynb")
    text = "\n".join(cell.source for cell in released.cells)
    source = read_notebook(ROOT / "source" / "attention" / "attention.ipynb")
    solutions = re.findall(
        r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", "\n".join(c.source for c in source.cells), re.S
    )
    lines = {line.strip() for solution in solutions for line in solution.splitlines() if len(line.strip()) > 12}
    assert len(lines) > 10
    assert {line for line in lines if line in text} == set()
    hidden = "".join(path.read_text() for path in (ROOT / "graders" / "attention").glob("test_hidden*.py"))
    assert not any(name in text for name in re.findall(r"def (test_\w+)", hidden))
    assert all(not cell.get("outputs") for cell in released.cells)


def test_source_holds_no_outputs() -> None:
    """The instructor's notebook is committed without outputs."""
    source = read_notebook(ROOT / "source" / "attention" / "attention.ipynb")
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in source.cells)
