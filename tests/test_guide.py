"""docs/write-an-assignment.md: every file is written, every command run, every output compared."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import nbformat
import pytest

from tests.commands import run

GUIDE = (Path(__file__).parents[1] / "docs" / "write-an-assignment.md").read_text(encoding="utf-8")
MARKS = {
    "Read-only": {"locked": True},
    "Autograded answer": {"solution": True},
    "Autograded tests": {"grade": True, "locked": True, "points": 10, "cell_type": "code"},
}
STEPS = re.compile(
    r"`(nbgrader_config\.py|graders/[\w/.]+)`[^`]*?:\n\n```\w+\n(.*?)^```$|^```console\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def cell(name: str, kind: str) -> nbformat.NotebookNode:
    """A cell as the guide shows it, with the marks that nbgrader's panel gives it."""
    language, source = re.findall(rf"^Cell `{name}`.*?^```(\w+)\n(.*?)^```$", GUIDE, re.M | re.S)[0]
    marks = {"grade_id": name, "schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    make = nbformat.v4.new_markdown_cell if language == "markdown" else nbformat.v4.new_code_cell
    return make(source.rstrip(), id=name, metadata={"nbgrader": {**marks, **MARKS[kind]}})


@pytest.mark.proof
def test_guide_is_true(tmp_path: Path) -> None:
    """Whoever follows the guide gets its files to say what it shows."""
    rows = re.findall(r"^\| `([\w-]+)` \| ([\w -]+?) \|", GUIDE, re.M)
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    notebook.cells = [cell(name, kind) for name, kind in rows]
    (tmp_path / "source" / "rms").mkdir(parents=True)
    nbformat.write(notebook, tmp_path / "source" / "rms" / "rms.ipynb")
    steps = STEPS.findall(GUIDE)
    assert len(steps) == 13
    for name, content, commands in steps:
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", commands, re.M):
            assert output(tmp_path, command) == expected.replace("…", str(tmp_path)), command
    assert (tmp_path / "release" / "rms" / "rms.ipynb").is_file()


def output(folder: Path, command: str) -> str:
    """What a command writes on standard output."""
    done = run(folder, *shlex.split(command), environment={**os.environ, "COLUMNS": "120"})
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
