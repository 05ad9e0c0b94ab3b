"""The room `authoring`: what does not fit together in an assignment is told with its file and cell."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from click.testing import CliRunner
from nbformat.notebooknode import NotebookNode

from tensorgrade.authoring import lint_assignment
from tensorgrade.cli import commands
from tensorgrade.course import Assignment, Course

TINY = Path(__file__).parent / "courses" / "tiny"


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    """The tiny assignment in a course of its own."""
    shutil.copytree(TINY, tmp_path / "course")
    return Course.at(tmp_path / "course").assignment("tiny")


def edit(assignment: Assignment, change: Callable[[NotebookNode], Any]) -> None:
    """Change the instructor's notebook."""
    path = assignment.source / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    path.write_text(nbformat.writes(notebook))


def cell(notebook: NotebookNode, name: str) -> NotebookNode:
    """The cell of that grade_id."""
    return next(one for one in notebook.cells if one.metadata.get("nbgrader", {}).get("grade_id") == name)


def mark(name: str, **marks: Any) -> Callable[[NotebookNode], Any]:
    """Sets nbgrader's metadata of a cell."""
    return lambda notebook: cell(notebook, name).metadata.nbgrader.update(marks)


def test_good_assignment_has_nothing_to_mend(assignment: Assignment) -> None:
    """The tiny assignment fits together."""
    assert lint_assignment(assignment) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            lambda notebook: cell(notebook, "double").update(execution_count=3),
            "source/tiny/tiny.ipynb, cell 'double': holds outputs. Clear them before it is committed.",
            id="outputs",
        ),
        pytest.param(
            mark("double", schema_version=2),
            "source/tiny/tiny.ipynb, cell 'double': expected nbgrader's schema_version 3, got 2. Run ",
            id="schema",
        ),
        pytest.param(
            mark("double", points=0),
            "source/tiny/tiny.ipynb, cell 'double': is a grade cell that gives no points",
            id="points",
        ),
        pytest.param(
            lambda notebook: cell(notebook, "double").update(source='check("duoble")'),
            "source/tiny/tiny.ipynb, cell 'double': expected `check(\"double\")`, so that students see the public ",
            id="another check",
        ),
        pytest.param(mark("why", grade_id="double"), "source/tiny: two cells are called 'double'", id="name"),
        pytest.param(
            lambda notebook: notebook.cells[1].update(id=notebook.cells[0].id),
            "source/tiny/tiny.ipynb: two cells have the id ",
            id="id",
        ),
        pytest.param(
            lambda notebook: notebook.update(nbformat_minor=4),
            "source/tiny/tiny.ipynb: has format 4.4, in which cells have no stable ids.",
            id="format",
        ),
    ],
)
def test_notebook_that_is_not_clean(
    assignment: Assignment, change: Callable[[NotebookNode], Any], message: str
) -> None:
    """What is wrong with a notebook names the file and the cell."""
    path = assignment.source / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    path.write_text(json.dumps(notebook))  # nbformat would mend some of it
    assert any(problem.startswith(message) for problem in lint_assignment(assignment)), lint_assignment(assignment)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        pytest.param(
            "test_hidden.py",
            '@pytest.mark.task("doubel")\ndef test_more(student):\n    """It is right."""\n',
            'graders/tiny/test_hidden.py: test_more: no grade cell is called "doubel"',
            id="task",
        ),
        pytest.param(
            "test_hidden.py",
            '@pytest.mark.task("double")\ndef test_more(student):\n    pass\n',
            "graders/tiny/test_hidden.py: test_more: expected a docstring",
            id="docstring",
        ),
        pytest.param(
            "test_hidden.py",
            '@pytest.mark.task("double")\ndef test_more(student):\n    """It does return 2 * x + 0."""\n',
            "graders/tiny: test_more: its docstring tells students a line of the solution: 'return 2 * x'",
            id="told",
        ),
        pytest.param(
            "test_hidden.py",
            '@pytest.mark.task("double")\n@pytest.mark.budget(cpu_seconds=500)\n'
            'def test_more(student):\n    """It learns."""\n',
            "graders/tiny: the checks' budgets add up to 500 CPU seconds; expected at most 120",
            id="budget",
        ),
        pytest.param("test_hidden.py", "def test_(:", "graders/tiny/", id="syntax"),
        pytest.param(
            "assignment.toml",
            "[limits]\nmemory_mib = 8\n",
            "graders/tiny/assignment.toml: limits.memory_mib: 8",
            id="limit",
        ),
        pytest.param(
            "mutants/one.py",
            '"""Wrong."""\n# loses: duoble\n# killed by: test_gone\n\n# %% nowhere\nx',
            "graders/tiny/mutants/one.py: no cell has the grade_id 'nowhere'",
            id="cell of a mutant",
        ),
        pytest.param(
            "mutants/one.py",
            '"""Wrong."""\n# loses: double\n# killed by: test_gone\n\n# %% double-solution\nx',
            "graders/tiny/mutants/one.py: killed by: there is no 'test_gone'",
            id="check of a mutant",
        ),
        pytest.param(
            "mutants/one.py",
            '"""Wrong."""\n# loses: double\n# measured by: test_gone\n\n# %% double-solution\nx',
            "graders/tiny/mutants/one.py: measured by: there is no 'test_gone'",
            id="measure of a mutant",
        ),
        pytest.param(
            "test_hidden.py",
            '@pytest.mark.task("double")\ndef test_more(student, calibrated):\n    """It learns."""\n'
            '    calibrated("accuracy", lambda run: 1.0, hint="Train longer.")\n',
            "graders/tiny/calibration.toml: test_more measures 'accuracy', which has no calibration. "
            "Run `tensorgrade calibrate tiny`.",
            id="no calibration",
        ),
        pytest.param(
            "test_public.py",
            '@pytest.mark.task("double")\ndef test_more(student, calibrated):\n    """It learns."""\n'
            '    calibrated("accuracy", lambda run: 1.0, hint="Train longer.")\n',
            "graders/tiny/test_public.py: test_more: measures by a calibration, which students do not have",
            id="public calibration",
        ),
    ],
)
def test_grader_that_does_not_fit(assignment: Assignment, file: str, text: str, message: str) -> None:
    """What is wrong with checks, limits and mutants names the file."""
    path = assignment.graders / file
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as opened:
        opened.write(f"\n\n{text}")
    assert any(problem.startswith(message) for problem in lint_assignment(assignment)), lint_assignment(assignment)


@pytest.mark.parametrize(
    ("comparison", "found"),
    [
        pytest.param('metrics["accuracy"] >= 0.76', "`metrics['accuracy'] >= 0.76`", id="metric"),
        pytest.param("not LEAST <= accuracy", "`LEAST <= accuracy`", id="constant"),
        pytest.param("0.5 > test_accuracy", "`0.5 > test_accuracy`", id="the other way round"),
        pytest.param("accuracy > 0", None, id="end of a share"),
        pytest.param("accuracy == 0.76", None, id="exact"),
        pytest.param("student.double(0.2) > 0.1", None, id="another value"),
    ],
)
def test_threshold_written_by_hand(assignment: Assignment, comparison: str, found: str | None) -> None:
    """A check that compares an accuracy or a metric with a number of its own is told, with its line."""
    with (assignment.graders / "test_hidden.py").open("a") as checks:
        checks.write(
            '\n\nLEAST = 0.76\n\n\n@pytest.mark.task("double")\n'
            'def test_more(student, metrics):\n    """It learns."""\n'
            f'    accuracy = test_accuracy = metrics["accuracy"] = 1.0\n    assert {comparison}\n'
        )
    problems = lint_assignment(assignment)
    if found is None:
        assert problems == ()
    else:
        [problem] = problems
        assert problem.startswith(f"graders/tiny/test_hidden.py, line 21: test_more: {found} compares with a number")


def test_task_without_a_public_check(assignment: Assignment) -> None:
    """Students of such a task get no hint while they work."""
    (assignment.graders / "test_public.py").write_text("")
    assert lint_assignment(assignment) == (
        "graders/tiny/test_public.py: no public check belongs to 'double': students get no hint while they work",
    )


def test_solution_in_the_release(assignment: Assignment) -> None:
    """A line of the solution that a locked cell repeats is told, and where."""
    edit(assignment, lambda notebook: notebook.cells[0].update(source="Hint:\n\n    return 2 * x"))
    [problem] = lint_assignment(assignment)
    assert problem.startswith("release/tiny/tiny.ipynb, cell ")
    assert problem.endswith("holds a line of the solution: 'return 2 * x'")


def test_stale_release(assignment: Assignment) -> None:
    """A release that is not what the source gives today is told; one that was never made is no mistake."""
    assignment.release.mkdir(parents=True)
    assert lint_assignment(assignment) == (
        "release/tiny: is not what the source gives today. Run `tensorgrade release tiny`.",
    )


def test_command_lints_the_course(assignment: Assignment) -> None:
    """Without a name every assignment is looked at; the exit code says whether there is something to mend."""
    folder = str(assignment.course.root)
    done = CliRunner().invoke(commands, ["lint", "--course", folder], standalone_mode=False)
    assert (done.return_value, done.output) == (0, "tiny: nothing was found\n")
    edit(assignment, mark("double", points=0))
    done = CliRunner().invoke(commands, ["lint", "tiny", "--course", folder], standalone_mode=False)
    assert (done.return_value, done.output.count("\n")) == (1, 1)


def test_course_of_this_repository() -> None:
    """The assignments that come with tensorgrade have nothing to mend."""
    course = Course.at(Path(__file__).parents[1])
    assert {name: lint_assignment(course.assignment(name)) for name in course.assignment_names()} == dict.fromkeys(
        course.assignment_names(), ()
    )
