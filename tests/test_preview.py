"""The room `authoring`: what an instructor sees before students do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from nbformat.notebooknode import NotebookNode

from tensorgrade.authoring import preview_assignment, preview_page
from tensorgrade.cli import commands
from tensorgrade.course import Assignment, Course
from tensorgrade.errors import UsageError
from tensorgrade.grading.records import Status
from tensorgrade.sandbox.template import Template
from tests.commands import run

TINY = Path(__file__).parent / "courses" / "tiny"
MUTANT = '''"""Adds one instead."""

# %% double-solution
def double(x):
    return x + 1
'''
GENEROUS = '''

@pytest.mark.task("double")
def test_generous(student):
    """There is a result."""
'''
TEXT = """
![plot](missing.png) and <img src='gone.jpg' alt=''>, ![pasted](attachment:lost.png), [data](data.csv),
[elsewhere](https://example.org), [below](#below), `[code](no.txt)`, $f[i](x)$. The check is test_doubles_any_tensor.
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Assignment:
    """The tiny assignment in a course of its own, with one mutant."""
    shutil.copytree(TINY, tmp_path / "course")
    assignment = Course.at(tmp_path / "course").assignment("tiny")
    (assignment.graders / "mutants").mkdir()
    source = nbformat.read(assignment.source / "tiny.ipynb", as_version=4)
    name = next(cell.metadata.nbgrader.grade_id for cell in source.cells if "BEGIN SOLUTION" in cell.source)
    (assignment.graders / "mutants" / "plus_one.py").write_text(MUTANT.replace("double-solution", name))
    return assignment


def edit(assignment: Assignment, change: Callable[[NotebookNode], None]) -> None:
    """Change the instructor's notebook."""
    path = assignment.source / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for the secret that the first grading makes."""
    found = {
        str(path.relative_to(folder)): path
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(".tensorgrade")}


def test_good_assignment_has_nothing_to_mend(tiny: Assignment, template: Template) -> None:
    """The untouched release fails its checks, the solution passes them, and the course stays as it was."""
    before = files(tiny.course.root)
    preview = preview_assignment(tiny, template)
    assert preview.warnings == ()
    statuses = {trial.name: [record.status for record in trial.tasks["double"]] for trial in preview.trials}
    assert statuses == {"untouched release": [Status.FAILED], "solution": [Status.PASSED]}
    assert preview.release == ("test_public.py", "tiny.ipynb")
    assert files(tiny.course.root) == before


def test_page_shows_what_students_see(tiny: Assignment, template: Template) -> None:
    """The page holds the released notebook, the reports and the feedback, and needs no file beside it."""
    page = BeautifulSoup(preview_page(preview_assignment(tiny, template, ["plus_one"]), tiny.source), "html.parser")
    notebook = page.iframe
    assert notebook is not None
    assert notebook["sandbox"] == ["allow-scripts"]
    seen = BeautifulSoup(str(notebook["srcdoc"]), "html.parser").get_text()
    assert "NotImplementedError" in seen
    assert "double: 1 of 1 public checks do not pass yet." in seen
    assert "BEGIN SOLUTION" not in seen
    counts = [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in page.select(".plain tr")
    ]
    assert counts[1:] == [
        ["untouched release", "✗ 0 of 1"],
        ["solution", "✓ 1 of 1"],
        ["plus_one Adds one instead.", "✗ 0 of 1"],
    ]
    captions = [caption.get_text() for caption in page.find_all("caption")]
    assert captions.count("double: 0 of 1 public checks pass") == 2
    assert any("points" in caption for caption in captions)
    assert not page.find_all(["script", "img", "link"])


def test_traps_are_found(tiny: Assignment, template: Template) -> None:
    """What a student would trip over, and what they must not see, is named with its place."""

    def set_traps(notebook: NotebookNode) -> None:
        notebook.cells[0].source += TEXT
        notebook.cells.append(nbformat.v4.new_code_cell("# the SOLUTION\nundefined + 1", id="trap"))

    edit(tiny, set_traps)
    with (tiny.graders / "test_hidden.py").open("a") as hidden:
        hidden.write(GENEROUS)
    (tiny.source / "mutants").mkdir()
    (tiny.source / "mutants" / "one.py").write_text("x = 1")
    preview = preview_assignment(tiny, template)
    cell = "tiny.ipynb, cell 1: "
    assert sorted(preview.warnings) == sorted(
        [
            "mutants/one.py: belongs to the grader and must not be released. Move it out of source/tiny.",
            "task 'double': the untouched release passes the check 'test_generous': points for nothing",
            f"{cell}'data.csv' is not in the release. Put the file beside the notebook in source/.",
            f"{cell}'gone.jpg' is not in the release. Put the file beside the notebook in source/.",
            f"{cell}'missing.png' is not in the release. Put the file beside the notebook in source/.",
            f"{cell}names the hidden check 'test_doubles_any_tensor'. Students must not know it.",
            f"{cell}the picture 'attachment:lost.png' is not in the cell. Put it in again.",
            "tiny.ipynb, In [3]: NameError: name 'undefined' is not defined (in the untouched release)",
            "tiny.ipynb, In [3]: NameError: name 'undefined' is not defined (with the solution)",
            "tiny.ipynb, cell 6: the word 'SOLUTION' is in the release. Is one of nbgrader's marks misspelt?",
        ]
    )
    assert "missing.png" in preview_page(preview, tiny.source)


def test_every_hidden_file_is_kept_from_students(tiny: Assignment, template: Template) -> None:
    """A grader may have several hidden files; each of them, and each of their checks, is missed in no release."""
    (tiny.graders / "test_hidden_more.py").write_text("import pytest\n\n\n" + GENEROUS.lstrip())
    (tiny.source / "test_hidden_more.py").write_text("x = 1")
    edit(tiny, lambda notebook: notebook.cells[0].update(source="Mind test_generous."))
    warnings = preview_assignment(tiny, template).warnings
    assert (
        "test_hidden_more.py: belongs to the grader and must not be released. Move it out of source/tiny." in warnings
    )
    assert "tiny.ipynb, cell 1: names the hidden check 'test_generous'. Students must not know it." in warnings


def test_checks_that_do_not_fit_are_found(tiny: Assignment, template: Template) -> None:
    """A solution that fails a public check, and a task without one, are told."""
    public = tiny.graders / "test_public.py"
    text = public.read_text()
    public.write_text(text.replace("x + x", "x + x + 1"))
    assert any("the solution fails the public check" in one for one in preview_assignment(tiny, template).warnings)
    public.write_text(text.split("@pytest")[0])
    assert any('check("double")' in warning for warning in preview_assignment(tiny, template).warnings)


def test_unknown_mutant_is_a_usage_error(tiny: Assignment, template: Template) -> None:
    """A misspelt mutant gets the near names."""
    with pytest.raises(UsageError, match=r"no mutant 'plus_on'. Near: plus_one"):
        preview_assignment(tiny, template, ["plus_on"])


def test_command_writes_the_page_and_exits(tiny: Assignment) -> None:
    """Something to mend is one line and exit code 1; the last line is the page."""
    edit(tiny, lambda notebook: notebook.cells[0].update(source="![](missing.png)"))
    done = run(tiny.course.root, "tensorgrade", "preview", "tiny", "--mutant", "all")
    assert done.returncode == 1, done.stdout + done.stderr
    warning, page = done.stdout.splitlines()
    assert warning.startswith("to mend: tiny.ipynb, cell 1: 'missing.png'")
    assert Path(page) == tiny.course.root / "build" / "preview" / "tiny.html"
    assert "Adds one instead." in Path(page).read_text()


def test_command_without_anything_to_mend(tiny: Assignment, tmp_path: Path) -> None:
    """A good assignment is exit code 0, and a page where it was asked for."""
    arguments = ["preview", "tiny", "--course", str(tiny.course.root), "--output", str(tmp_path / "page.html")]
    done = CliRunner().invoke(commands, arguments, standalone_mode=False)
    assert (done.return_value, done.output) == (0, f"{tmp_path / 'page.html'}\n")
    assert (tmp_path / "page.html").is_file()
