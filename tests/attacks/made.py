"""What an attack does to the files of its submission, where edits of cells are not enough."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

NOTEBOOK = "vault.ipynb"
LITTER = "tensorgrade-attack"  # how the names of all files begin that attacks write where they should not
HOOKS = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome = "passed"
    return report

def pytest_sessionfinish(session):
    open("/tmp/tensorgrade-attack-conftest", "w").close()
    session.exitstatus = 0
"""
RUNS = 'open("/tmp/tensorgrade-attack-module", "w").close()\nANSWER = 4.0\nimport os\nos.environ["SCORE"] = "4.0"\n'


def remake(name: str | None, folder: Path, port: int) -> None:
    """Change a submission as the header ``# made by: name`` of its attack says.

    Args:
        name: of a function below; None leaves the submission alone.
        folder: the submission's.
        port: of a listener on this machine, which attacks on the network call.
    """
    if name == "port_of_the_listener":
        replace_text(folder, "65535", str(port))
    elif name is not None:
        MADE[name](folder)


def replace_text(folder: Path, old: str, new: str) -> None:
    """Write other words into the notebook."""
    path = folder / NOTEBOOK
    path.write_text(path.read_text().replace(old, new))


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the notebook as JSON."""
    path = folder / NOTEBOOK
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def cell_of(content: dict[str, Any], name: str) -> dict[str, Any]:
    """The cell with that grade_id."""
    return next(cell for cell in content["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == name)


def beside(files: dict[str, str]) -> Callable[[Path], None]:
    """Lays files beside the notebook."""

    def write(folder: Path) -> None:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def own_grade_cell(folder: Path) -> None:
    """The grade cell shows four points and says that it has a hundred; a copy of it follows."""

    def change(content: dict[str, Any]) -> None:
        cell = cell_of(content, "double")
        cell["source"] = "4.0"
        cell["metadata"]["nbgrader"] |= {"points": 100, "locked": False, "solution": True}
        cell["metadata"]["tags"] = ["skip-execution"]
        content["cells"].append({**cell, "id": "copy", "source": "100.0"})

    changed(folder, change)


def thousand_points(folder: Path) -> None:
    """Every cell says that it has a thousand points, and shows them."""

    def change(content: dict[str, Any]) -> None:
        for cell in content["cells"]:
            if "nbgrader" in cell["metadata"]:
                cell["metadata"]["nbgrader"] |= {"points": 1000, "grade": True}
            if cell["cell_type"] == "code":
                data = {"text/plain": "1000.0"}
                cell["outputs"] = [
                    {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}
                ]

    changed(folder, change)


def eighty_megabytes(folder: Path) -> None:
    """Outputs of 80 MB, written without holding them."""

    def change(content: dict[str, Any]) -> None:
        cell_of(content, "double-solution")["outputs"] = [
            {"output_type": "stream", "name": "stdout", "text": "x" * 80_000_000}
        ]

    changed(folder, change)


def twenty_thousand_cells(folder: Path) -> None:
    """One cell, 20,000 times."""

    def change(content: dict[str, Any]) -> None:
        cell = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": [], "execution_count": None}
        content["cells"] += [{**cell, "id": f"c{number}"} for number in range(20_000)]

    changed(folder, change)


def deep_json(folder: Path) -> None:
    """Metadata that holds lists in lists, 100,000 levels deep."""
    path = folder / NOTEBOOK
    deep = "[" * 100_000 + "]" * 100_000
    path.write_text(path.read_text().replace('"nbformat":', f'"deep": {deep}, "nbformat":', 1))


def broken_utf8(folder: Path) -> None:
    """Bytes that are no text."""
    path = folder / NOTEBOOK
    path.write_bytes(path.read_bytes().replace(b"The vault", b"\xff\xfe\xc3"))


def odd_ids(folder: Path) -> None:
    """Ids that are missing, doubled, numbers or too long."""

    def change(content: dict[str, Any]) -> None:
        for number, cell in enumerate(content["cells"]):
            cell["id"] = [None, "same", "same", 5, "x" * 1000, ["a"], "../../x"][number % 7]
            if number % 7 == 0:
                del cell["id"]

    changed(folder, change)


def parser_bombs(folder: Path) -> None:
    """Cells that are all brackets, all minus signs, one long sum, one long chain of attributes."""

    def change(content: dict[str, Any]) -> None:
        sources = ("(" * 50_000, "-" * 300_000 + "1", "+".join(["1"] * 200_000), "x" + ".a" * 100_000)
        sources += ("\n".join(" " * depth + "if 1:" for depth in range(95)), "f'{" * 200, "\0\0")
        cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
        content["cells"] += [{**cell, "id": f"bomb{number}", "source": text} for number, text in enumerate(sources)]

    changed(folder, change)


def links_beside(folder: Path) -> None:
    """Links to the graders and to a file of the system."""
    (folder / "graders").symlink_to("../../../graders")
    (folder / "users.txt").symlink_to("/etc/passwd")


def pipe_for_notebook(folder: Path) -> None:
    """A pipe that nobody writes to."""
    (folder / NOTEBOOK).unlink()
    os.mkfifo(folder / NOTEBOOK)


def modules_beside(folder: Path) -> None:
    """Modules with the names of those that the solution imports."""
    beside({f"{name}.py": RUNS for name in ("torch", "random", "numpy", "msgpack", "json", "socket")})(folder)
    shutil.copytree(folder, folder / "torch.d", ignore=shutil.ignore_patterns("torch.d", "*.ipynb"))


SETTINGS = "addopts = --collect-only -p evil\npython_files = none.py\n"
MADE: dict[str, Callable[[Path], None]] = {
    "conftest_beside": beside({"conftest.py": HOOKS, "test_hidden.py": "def test_pass(): pass\n"}),
    "settings_beside": beside(
        {
            "pytest.ini": f"[pytest]\n{SETTINGS}",
            "tox.ini": f"[pytest]\n{SETTINGS}",
            "setup.cfg": f"[tool:pytest]\n{SETTINGS}",
            "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "--collect-only -p evil"\n',
            "evil.py": HOOKS,
        }
    ),
    "modules_beside": modules_beside,
    "customize_beside": beside({"sitecustomize.py": RUNS, "usercustomize.py": RUNS, "evil.pth": f"import os; {RUNS}"}),
    "packages_beside": beside(
        {
            **{f"tensorgrade/{name}.py": RUNS for name in ("__init__", "wire", "checks", "replies", "worker")},
            **{f"graders/{name}.py": RUNS for name in ("__init__", "test_hidden")},
        }
    ),
    "own_report": beside(
        {
            "staff-report.html": "<script>document.title = 'FORGED'</script>FORGED: 17 of 17 points",
            "staff-report.json": '{"status": "graded", "error": "FORGED", "points": 17.0, "key": ""}',
        }
    ),
    "own_grade_cell": own_grade_cell,
    "thousand_points": thousand_points,
    "eighty_megabytes": eighty_megabytes,
    "twenty_thousand_cells": twenty_thousand_cells,
    "deep_json": deep_json,
    "broken_utf8": broken_utf8,
    "odd_ids": odd_ids,
    "parser_bombs": parser_bombs,
    "links_beside": links_beside,
    "pipe_for_notebook": pipe_for_notebook,
}
