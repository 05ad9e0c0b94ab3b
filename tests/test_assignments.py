"""The assignments of this course: each grader is proven, each release is fresh and gives nothing away."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.notebooknode import NotebookNode

from tensorgrade.authoring import Kind, Proof, prove_assignment
from tensorgrade.course import Assignment, Course, Submission
from tensorgrade.fleet import LocalProcesses
from tensorgrade.gradebook import generate_release
from tensorgrade.grading.grader import Grader
from tensorgrade.notebooks import read_edits, read_notebook, with_edits
from tensorgrade.sandbox.template import Template

ROOT = Path(__file__).parents[1]
NAMES = sorted(path.name for path in (ROOT / "source").iterdir() if path.is_dir())
SECRET = "7a" * 32
SEEDS = 20
FEW = 6  # mutants, and variants, in the suite; the proof tries all


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalProcesses]:
    """Two processes that try things."""
    with LocalProcesses(2) as processes:
        yield processes


@pytest.fixture
def course(tmp_path: Path) -> Course:
    """A copy of the course, so that nothing is written into the checkout, with a secret of its own."""
    for name in ("source", "release", "graders"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    (tmp_path / ".tensorgrade").mkdir(mode=0o700)
    (tmp_path / ".tensorgrade" / "secret").write_text(f"{SECRET}\n")
    return Course.at(tmp_path)


def few(names: list[str]) -> frozenset[str]:
    """Of a list only some, from its first to its last part."""
    return frozenset(names[:: -(-len(names) // FEW)])


def some_mutants(assignment: Assignment) -> frozenset[str]:
    """The names of mutants that fail as many different checks, from the first to the last task."""
    chosen: dict[str, str] = {}
    for path in sorted((assignment.graders / "mutants").glob("*.py")):
        for check in read_edits(path).headers.get("killed by", "").split(","):
            chosen.setdefault(check.strip(), path.stem)
    return few(list(dict.fromkeys(chosen.values())))


def leave_some_variants(assignment: Assignment) -> None:
    """Remove the other variants from a copy of the course."""
    paths = {path.stem: path for path in sorted((assignment.graders / "variants").glob("*.py"))}
    for name in paths.keys() - few(list(paths)):
        paths[name].unlink()


def require_proven(proof: Proof) -> None:
    """There is nothing to mend."""
    assert list(proof.problems()) == []


@pytest.mark.parametrize("name", NAMES)
def test_grader_is_proven_in_short(course: Course, executor: LocalProcesses, name: str) -> None:
    """The solution and some variants earn all points, the release none, and some mistakes are found."""
    assignment = course.assignment(name)
    leave_some_variants(assignment)
    kinds = frozenset({Kind.EMPTY, Kind.VARIANT, Kind.MUTANT})
    mutants = some_mutants(assignment)
    require_proven(prove_assignment(assignment, executor, kinds=kinds, seeds=1, mutants=mutants))


@pytest.mark.proof
@pytest.mark.parametrize("name", NAMES)
def test_grader_is_proven(course: Course, executor: LocalProcesses, name: str) -> None:
    """With twenty secrets the solution and the variants earn all points; each mutant is found, generated too."""
    require_proven(prove_assignment(course.assignment(name), executor, seeds=SEEDS))


@pytest.mark.parametrize("name", NAMES)
def test_release_is_fresh(course: Course, name: str) -> None:
    """The committed release is what `tensorgrade release` makes today."""
    generate_release(course, name)
    made, committed = (root / "release" / name for root in (course.root, ROOT))
    names = sorted(path.relative_to(committed) for path in committed.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
    for path in names:
        assert (made / path).read_bytes() == (committed / path).read_bytes(), f"make release, {path}"


def given_lines(sources: list[NotebookNode]) -> set[str]:
    """The lines that students are given to start from, in cells with a starter."""
    cells = [cell.source for notebook in sources for cell in notebook.cells if "### BEGIN STARTER" in cell.source]
    given = re.sub(r"### BEGIN SOLUTION\n.*?### END SOLUTION", "", "\n".join(cells), flags=re.DOTALL)
    return {line.strip().removeprefix("# ") for line in given.splitlines()}


@pytest.mark.parametrize("name", NAMES)
def test_release_gives_nothing_away(name: str) -> None:
    """No solution line, hidden check, seed or output is in the release."""
    released = [read_notebook(path) for path in (ROOT / "release" / name).glob("*.ipynb")]
    text = "\n".join(cell.source for notebook in released for cell in notebook.cells)
    sources = [read_notebook(path) for path in (ROOT / "source" / name).glob("*.ipynb")]
    written = "\n".join(cell.source for notebook in sources for cell in notebook.cells)
    solutions = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", written, re.DOTALL)
    lines = {line.strip() for solution in solutions for line in solution.splitlines() if len(line.strip()) > 12}
    assert len(lines) > 10
    assert {line for line in lines - given_lines(sources) if line in text} == set()
    hidden = "".join(path.read_text() for path in (ROOT / "graders" / name).glob("test_hidden*.py"))
    assert not any(check in text for check in re.findall(r"def (test_\w+)", hidden))
    assert all(not cell.get("outputs") for notebook in released for cell in notebook.cells)


@pytest.mark.parametrize("name", NAMES)
def test_source_holds_no_outputs(name: str) -> None:
    """The instructor's notebook is committed without outputs."""
    for path in (ROOT / "source" / name).glob("*.ipynb"):
        cells = read_notebook(path).cells
        assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)


def test_cheat_leaks_and_gains_nothing(course: Course, template: Template) -> None:
    """The sample that reads files and patches torch gets no point and no file of the course."""
    (course.root / "graders" / "attention" / "test_hidden_training.py").unlink()  # no model of his gets that far
    submission = Submission(course.assignment("attention"), "hugo")
    submission.folder.mkdir(parents=True)
    released = read_notebook(ROOT / "release" / "attention" / "attention.ipynb")
    edits = read_edits(ROOT / "demo" / "submissions" / "hugo.py")
    nbformat.write(with_edits(released, edits), submission.folder / "attention.ipynb")
    report = Grader(submission.assignment, template).grade(submission)
    assert report.points == 0
    assert "scaled_dot_product_attention(" not in str(report.notebooks)
