"""The room `public`: `check("task")` in the student's own notebook."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tensorgrade.errors import UsageError
from tensorgrade.grading.records import Status
from tensorgrade.notebooks import read_notebook, student_version
from tensorgrade.public import run_public_checks

TINY = Path(__file__).parent / "courses" / "tiny"


@pytest.fixture
def checks(tmp_path: Path) -> Path:
    """The public checks beside a notebook."""
    shutil.copy(TINY / "graders" / "tiny" / "test_public.py", tmp_path)
    return tmp_path / "test_public.py"


def test_right_code_passes(checks: Path) -> None:
    """A correct function passes the public checks."""
    (record,) = run_public_checks("double", {"double": lambda x: x * 2}, checks)
    assert record.status is Status.PASSED


def test_wrong_code_is_told_everything(checks: Path) -> None:
    """In the own notebook a hint may name the expected and the actual value: nothing is hidden."""
    (record,) = run_public_checks("double", {"double": lambda x: x * 3}, checks)
    assert record.status is Status.FAILED
    assert "same factor 1.5" in str(record.hint)
    assert "expected 6, got 9" in str(record.hint)


def test_exceptions_show_message_and_line(checks: Path) -> None:
    """What the function raises is shown with its message."""

    def double(x: torch.Tensor) -> torch.Tensor:
        raise ValueError("a message")

    (record,) = run_public_checks("double", {"double": double}, checks)
    assert "Your code raised ValueError" in str(record.hint)
    assert "ValueError: a message" in str(record.hint)


def test_missing_function_is_named(checks: Path) -> None:
    """A name that no cell has defined yet is said to be missing."""
    (record,) = run_public_checks("double", {}, checks)
    assert record.hint == "double is not defined: the cell that defines it is missing, or raised an error."


def test_edited_checks_are_read_afresh(checks: Path) -> None:
    """After an edit of test_public.py the next call runs the new checks."""
    namespace = {"double": lambda x: x * 2}
    run_public_checks("double", namespace, checks)
    checks.write_text(checks.read_text().replace("x + x", "x + x + x"))
    assert run_public_checks("double", namespace, checks)[0].status is Status.FAILED


def test_wrong_task_and_missing_file_are_usage_errors(checks: Path, tmp_path: Path) -> None:
    """A misspelt task and a notebook that was moved away from its checks get one clear sentence."""
    with pytest.raises(UsageError, match=r"check\('duoble'\): test_public.py has no check"):
        run_public_checks("duoble", {}, checks)
    with pytest.raises(UsageError, match="not beside the notebook"):
        run_public_checks("double", {}, tmp_path / "elsewhere" / "test_public.py")


def test_random_numbers_of_the_notebook_stay(checks: Path) -> None:
    """A check between two draws does not change the second one."""
    draws = []
    for with_check in (False, True):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        if with_check:
            run_public_checks("double", {"double": lambda x: x * 2}, checks)
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))
    assert draws[0] == draws[1]


def released(solution: str, folder: Path) -> Path:
    """The released notebook with the solution cell filled in."""
    notebook = student_version(read_notebook(TINY / "source" / "tiny" / "tiny.ipynb"))
    notebook.cells[2].source = solution
    notebook.cells[4].source = "Because."
    path = folder / "tiny.ipynb"
    nbformat.write(notebook, path)
    return path


def test_real_kernel_shows_a_table_and_raises(checks: Path) -> None:
    """In Jupyter the report is HTML with a text for those who read text; a failure ends the cell."""
    path = released("def double(x):\n    print('noise')\n    return x * 3", checks.parent)
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, resources={"metadata": {"path": str(checks.parent)}})
    with pytest.raises(CellExecutionError, match="1 of 1 public checks do not pass yet"):
        client.execute()
    report, error = notebook.cells[3].outputs
    assert "<caption" in report["data"]["text/html"]
    assert "Points" not in report["data"]["text/html"]
    assert report["data"]["text/plain"].startswith("double: 0 of 1 public checks pass\n  ✗ failed: One, two")
    assert error["traceback"] == ["double: 1 of 1 public checks do not pass yet."]


@pytest.mark.parametrize(
    ("solution", "verdict"),
    [
        pytest.param("def double(x):\n    return x + x", "Success! Your notebook passes all the tests.", id="right"),
        pytest.param("def double(x):\n    return x", "1 of 1 public checks do not pass yet", id="wrong"),
    ],
)
def test_nbgrader_validate_agrees(checks: Path, solution: str, verdict: str) -> None:
    """`nbgrader validate`, which the Validate button runs, says what `check` says."""
    path = released(solution, checks.parent)
    command = [str(Path(sys.executable).with_name("nbgrader")), "validate", path.name]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
    assert verdict in done.stdout


def test_plain_python_prints_the_report(checks: Path) -> None:
    """Outside Jupyter the report is text on standard output."""
    source = "from tensorgrade import check\ndef double(x): return x + x\ncheck('double')"
    done = subprocess.run([sys.executable, "-c", source], cwd=checks.parent, capture_output=True, text=True, check=True)
    assert (
        done.stdout == "double: 1 of 1 public checks pass\n  ✓ passed: One, two and three become two, four and six.\n"
    )
