"""The room `public`: `check("task")` in the student's own notebook."""

from __future__ import annotations

import functools
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from jupyter_client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tensorgrade.grading.records import Status
from tensorgrade.notebooks import read_notebook, student_version
from tensorgrade.public import CheckRefused, PracticeRecord, check, find_checks
from tensorgrade.public import run_public_checks as run_them
from tensorgrade.reports import practice_html, practice_text
from tensorgrade.student import NotebookSession

TINY = Path(__file__).parent / "courses" / "tiny"


TWO_TASKS = """
import pytest

@pytest.mark.needs("halve")
@pytest.mark.task("double")
def test_double(student):
    \"\"\"Four is two times two.\"\"\"
    assert student.double(2.0) == 4.0

@pytest.mark.task("halve")
def test_half(student):
    \"\"\"One is half of two.\"\"\"
    assert student.halve(2.0) == 1.0
"""


@pytest.fixture
def checks(tmp_path: Path) -> Path:
    """The public checks beside a notebook."""
    shutil.copy(TINY / "graders" / "tiny" / "test_public.py", tmp_path)
    return tmp_path / "test_public.py"


@pytest.fixture
def two_tasks(tmp_path: Path) -> Path:
    """Public checks of two tasks, of which the first in the file needs the second."""
    (tmp_path / "test_public.py").write_text(TWO_TASKS)
    return tmp_path / "test_public.py"


def run_public_checks(task: str | None, source: str, file: Path) -> dict[str, tuple[PracticeRecord, ...]]:
    """The records on a notebook whose cells say `source`."""
    namespace: dict[str, object] = {"torch": torch, "__name__": "__main__"}
    cell = file.with_name("cell.py")
    cell.write_text(source)
    exec(compile(source, cell, "exec"), namespace)
    return run_them(task, NotebookSession(namespace), file, namespace)


def only_record(source: str, file: Path) -> PracticeRecord:
    """The record of the only check of the tiny assignment."""
    ((record,),) = run_public_checks("double", source, file).values()
    return record


def test_right_code_passes(checks: Path) -> None:
    """A correct function passes the public checks."""
    assert only_record("def double(x): return x * 2", checks).status is Status.PASSED


def test_wrong_code_is_told_everything(checks: Path) -> None:
    """In the own notebook a hint may name the expected and the actual value: nothing is hidden, or said twice."""
    record = only_record("def double(x): return x * 3", checks)
    assert record.status is Status.FAILED
    assert "expected 6, got 9" in str(record.hint)
    assert str(record.hint).count("same factor 1.5") == 1
    assert record.place == "test_public.py, line 7"


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        pytest.param("", "double is not defined. Run the cell that defines it", id="undefined"),
        pytest.param("def duoble(x): pass", "double is not defined, but duoble is.", id="misspelt"),
        pytest.param("def double(x): raise NotImplementedError()", "This is not written yet", id="not written"),
        pytest.param("def double(x): raise NotImplementedError('aten')", "This is not written yet", id="with message"),
        pytest.param("def double(x): return y", "raised NameError: name 'y' is not defined\nIs the name", id="name"),
        pytest.param("def double(): return 1", "raised TypeError: double() takes 0 positional", id="arguments"),
        pytest.param("def double(x): return x[9]", "Look at what goes into that line", id="index"),
        pytest.param("def double(x): return None", "Is a `return` missing?", id="nothing returned"),
    ],
)
def test_hints_say_what_happened_and_what_to_try(checks: Path, source: str, hint: str) -> None:
    """What went wrong in the own code is said with what to try."""
    assert hint in str(only_record(source, checks).hint)


def test_exceptions_show_the_way_through_the_own_code(checks: Path) -> None:
    """A traceback has the student's lines only, outermost first, and where there are too many, some of them."""
    source = "def inner(x):\n    raise ValueError('a message')\ndef double(x):\n    return inner(x)"
    record = only_record(source, checks)
    assert "Your code raised ValueError: a message" in str(record.hint)
    assert record.trace == (
        "cell.py, line 4, in double: return inner(x)",
        "cell.py, line 2, in inner: raise ValueError('a message')",
    )
    endless = only_record("def double(x):\n    return double(x)", checks)
    assert len(endless.trace) == 7
    assert "lines left out" in endless.trace[2]


def test_prints_of_a_failing_check_are_shown(checks: Path) -> None:
    """What the own function prints is in the report of a check that fails, cut where it is too much."""
    record = only_record("def double(x):\n    for i in range(1000): print('row', i)\n    return x", checks)
    assert record.printed.startswith("row 0\nrow 1\n")
    assert "… 980 lines left out …" in record.printed
    assert len(only_record("def double(x): print('x' * 10**6)", checks).printed) < 2100


def test_edited_checks_are_read_afresh(checks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an edit of test_public.py the next call runs the new checks, be it of one size and one second."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    before = checks.stat()
    assert only_record("def double(x): return x * 2", checks).status is Status.PASSED
    checks.write_text(checks.read_text().replace("x + x)", "x * 3)"))
    os.utime(checks, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert only_record("def double(x): return x * 2", checks).status is Status.FAILED
    assert not (checks.parent / "__pycache__").exists(), "it would be submitted with the notebook"


def test_wrong_task_names_the_near_one(two_tasks: Path) -> None:
    """A misspelt task gets the name that was meant, and all there are."""
    message = r'check\("duoble"\): .* Did you mean check\("double"\)\? Tasks: double, halve\.'
    with pytest.raises(CheckRefused, match=message):
        run_public_checks("duoble", "", two_tasks)


def test_task_without_quotes_is_refused() -> None:
    """`check(double)` says that the name belongs into quotes."""
    with pytest.raises(CheckRefused, match="in quotes"):
        check(check, {})  # type: ignore[arg-type]


@pytest.mark.parametrize("content", ["def test(:", "import no_such_module", "def test_it(): pass"])
def test_damaged_checks_are_named(checks: Path, content: str) -> None:
    """A test_public.py that cannot run says so with its reason, not with a traceback."""
    checks.write_text(content)
    with pytest.raises(CheckRefused, match=r"^test_public.py (cannot be run\. Fetch|has no checks)"):
        run_public_checks("double", "", checks)


def test_checks_are_found_after_a_change_of_folder(
    checks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook that has changed its working directory still finds its checks; elsewhere the folders are named."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.chdir("/")
    with pytest.raises(CheckRefused, match=r"not beside the notebook \(looked in /\)"):
        find_checks({})
    assert find_checks({"__file__": str(tmp_path / "script.py")}) == checks
    assert find_checks({"__vsc_ipynb_file__": str(tmp_path / "tiny.ipynb")}) == checks
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "tiny.ipynb"))
    assert find_checks({}) == checks


def test_check_without_a_name_checks_all_tasks(two_tasks: Path) -> None:
    """All tasks are listed, and those that do not pass have their table."""
    found = run_public_checks(None, "def double(x): return x * 2\ndef halve(x): return x", two_tasks)
    assert [(name, record.status) for name, (record,) in found.items()] == [
        ("double", Status.SKIPPED),
        ("halve", Status.FAILED),
    ]
    assert practice_text(found).startswith(
        "0 of 2 tasks pass their public checks\n"
        "  ✗ failed: double, 0 of 1 public checks pass\n"
        "  ✗ failed: halve, 0 of 1 public checks pass\n\n"
        "double: 0 of 1 public checks pass\n"
    )


def test_needed_task_is_checked_first(two_tasks: Path) -> None:
    """A check that needs another task runs when that one passes, and only the task asked for is reported."""
    found = run_public_checks("double", "def double(x): return x * 2\ndef halve(x): return x / 2", two_tasks)
    assert {name: [record.status for record in records] for name, records in found.items()} == {
        "double": [Status.PASSED]
    }
    ((record,),) = run_public_checks("double", "def double(x): return x * 2", two_tasks).values()
    assert record.status is Status.SKIPPED
    assert "Mend the task halve first" in str(record.hint)


def test_report_can_be_read_aloud(two_tasks: Path) -> None:
    """Every table has a caption, scopes, and a word beside each symbol; a student's text becomes no markup."""
    source = "def double(x): return x * 2\ndef halve(x):\n    print('<b>bold</b>')\n    raise ValueError('<i>')"
    page = BeautifulSoup(practice_html(run_public_checks(None, source, two_tasks)), "html.parser")
    assert [caption.get_text() for caption in page.find_all("caption")] == [
        "0 of 2 tasks pass their public checks",
        "double: 0 of 1 public checks pass",
        "halve: 0 of 1 public checks pass",
    ]
    assert {th["scope"] for th in page.find_all("th")} == {"row", "col"}
    assert all(span["aria-hidden"] == "true" for span in page.find_all("span"))
    assert not page.find_all(["b", "i", "h1", "h2", "h3"])
    assert "<b>bold</b>" in page.get_text()


def test_random_numbers_of_the_notebook_stay(checks: Path) -> None:
    """A check between two draws does not change the second one."""
    draws = []
    for with_check in (False, True):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        if with_check:
            only_record("def double(x): return x * 2", checks)
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


@pytest.fixture
def kernel(checks: Path) -> Iterator[BlockingKernelClient]:
    """A real kernel beside the checks, as a notebook has it."""
    manager, client = start_new_kernel(cwd=str(checks.parent), startup_timeout=60)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run_cell(kernel: BlockingKernelClient, source: str) -> tuple[str, str]:
    """What a cell shows as text, and the traceback it ends with."""
    shown: list[str] = []

    def keep(message: dict[str, Any]) -> None:
        content = message["content"]
        shown.append(content.get("text") or content.get("data", {}).get("text/plain", ""))

    reply = kernel.execute_interactive(source, output_hook=keep, timeout=60)["content"]
    return "".join(shown), "\n".join(reply.get("traceback", []))


def test_interrupt_leaves_a_sane_notebook(kernel: BlockingKernelClient) -> None:
    """Ctrl-C in an endless loop says where the code was; the next cell prints, and the next check works."""
    stop = (
        "import os, signal, threading, torch\n"
        "threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()\n"  # what Jupyter's button sends
    )
    run_cell(kernel, "from tensorgrade import check\ndef double(x):\n    while True:\n        x + x")
    shown, trace = run_cell(kernel, f"{stop}torch.manual_seed(1)\ncheck('double')")
    assert "You stopped this check after 1 s. Your code was here; does its loop end?" in shown
    assert re.search(r"In \[1\], line [34], in double: (while True:|x \+ x)", shown)
    assert trace == "Interrupted. The report above says where your code was."
    assert run_cell(kernel, "print('printed')")[0] == "printed\n"
    assert run_cell(kernel, "torch.rand(1).item() == (torch.manual_seed(1), torch.rand(1))[1].item()")[0] == "True"
    run_cell(kernel, "def double(x):\n    return x + x")
    shown, trace = run_cell(kernel, "check()")
    assert (shown.splitlines()[0], trace) == ("double: 1 of 1 public checks pass", "")


@pytest.mark.parametrize(
    ("solution", "verdict"),
    [
        pytest.param("def double(x):\n    return x + x", "Success! Your notebook passes all the tests.", id="right"),
        pytest.param("def double(x):\n    return x", "1 of 1 public checks do not pass yet", id="wrong"),
    ],
)
def test_validate_and_execute_agree(checks: Path, solution: str, verdict: str) -> None:
    """`nbgrader validate` and a plain run of the notebook say what `check` says."""
    path = released(solution, checks.parent)
    start = {"cwd": path.parent, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    programs = Path(sys.executable).parent
    validate = subprocess.Popen([programs / "nbgrader", "validate", path.name], **start)
    execute = subprocess.Popen([programs / "jupyter-execute", "--output", "run.ipynb", path.name], **start)
    said = validate.communicate()[0], execute.communicate()[0]
    passes = verdict.startswith("Success")
    assert verdict in said[0]
    assert (execute.returncode == 0) is passes
    assert passes or verdict in said[1]


def test_plain_python_prints_the_report(checks: Path) -> None:
    """In a script the report is text on standard output, whatever the terminal can show, and a failure ends it."""
    script = checks.with_name("homework.py")
    script.write_text("from tensorgrade import check\ndef double(x): return x + x\ncheck('double')")
    run = functools.partial(subprocess.run, [sys.executable, script], cwd="/", capture_output=True, check=False)
    assert (
        run(env={**os.environ, "PYTHONIOENCODING": "utf-8"}).stdout.decode()
        == "double: 1 of 1 public checks pass\n  ✓ passed: One, two and three become two, four and six.\n"
    )
    script.write_text(script.read_text().replace("x + x", "x"))
    done = run(env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.stdout.startswith(b"double: 0 of 1 public checks pass\n  ? failed: One, two")
    assert b"PublicChecksFailed: double: 1 of 1" in done.stderr
    assert done.returncode == 1


def test_terminal_of_ipython_shows_text(checks: Path) -> None:
    """In a terminal the report is text, and a failure one line."""
    source = "from tensorgrade import check\ncheck('double')\n"
    command = [str(Path(sys.executable).with_name("ipython")), "--simple-prompt", "--no-banner", "--colors=NoColor"]
    done = subprocess.run(command, input=source, cwd=checks.parent, capture_output=True, text=True, check=False)
    assert "✗ failed: One, two" in done.stdout
    assert "double: 1 of 1 public checks do not pass yet." in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
