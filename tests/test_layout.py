"""The shape of the project: which room may import which, what an install brings, what stays out."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tensorgrade.sandbox.files import INNER_MODULES

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tensorgrade"

# From the top: a room may import from the lines below its own, never sideways.
LEVELS = (
    {"cli"},
    {"authoring", "hub"},
    {"lms"},
    {"gradebook", "public"},
    {"reports", "fleet"},
    {"grading"},
    {"student", "notebooks", "course", "data"},
    {"sandbox"},
    {"replies"},
    {"wire", "checks", "limits", "mutation"},
    {"errors"},
)
# What runs inside the sandbox knows only these, and of `sandbox` only its inner half.
WORKER_MAY_IMPORT = {"wire", "errors", "limits", "sandbox", "worker", "replies"}


def room_of(path: Path) -> str:
    """The room that a module belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    """The modules of this package that a module imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tensorgrade"):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("tensorgrade.")}
    return names


def imported_rooms(path: Path) -> set[str]:
    """The rooms that a module imports."""
    rooms = {name.split(".")[1] for name in imported_modules(path) if "." in name}
    return {room for room in rooms if (PACKAGE / room).is_dir() or (PACKAGE / f"{room}.py").is_file()}


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    """Every import goes to a lower line of the table; the worker knows its inner modules only."""
    room = room_of(path)
    others = imported_rooms(path) - {room}
    if room == "worker":
        assert others <= WORKER_MAY_IMPORT
        return
    if room in ("__init__", "__main__"):
        assert others <= {"public", "cli"}
        return
    assert "worker" not in others
    level = {name: number for number, names in enumerate(LEVELS) for name in names}
    for other in others:
        assert level[other] > level[room], f"{room} imports {other}"


def test_sandbox_holds_what_its_modules_import() -> None:
    """The modules that are bound into the sandbox import nothing of ours from outside it."""
    inside = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in INNER_MODULES}
    for name in INNER_MODULES:
        if name == "__init__.py":
            continue
        wanted = {module.removeprefix("tensorgrade.") for module in imported_modules(PACKAGE / name)}
        places = {one: PACKAGE / one.replace(".", "/") for one in wanted}
        modules = {
            one for one, at in places.items() if at.with_suffix(".py").is_file() or (at / "__init__.py").is_file()
        }
        assert modules <= inside, name


def test_command_line_starts_without_torch() -> None:
    """Importing the package or its command line does not import torch."""
    source = "import sys, tensorgrade, tensorgrade.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0


def test_student_side_needs_no_nbgrader() -> None:
    """What `check` imports is in the light install, on any system: no nbgrader, no command line, no sandbox."""
    foreign = {"nbgrader", "nbconvert", "nbformat", "click", "rich", "sqlalchemy", "tensorgrade.sandbox"}
    source = f"import sys, tensorgrade.public\nsys.exit(bool({foreign!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0


@pytest.mark.parametrize("name", ["graders", "source", "release", "hub_config"])
def test_course_folders_are_no_packages(name: str, tmp_path: Path) -> None:
    """With an install, a student cannot import the graders or the source."""
    assert not list((ROOT / name).rglob("__init__.py"))
    source = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is not None)"
    done = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, check=False)
    assert done.returncode == 0


def test_every_package_is_listed() -> None:
    """Each package folder is named in pyproject.toml, so that an install is complete."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {
        ".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py") if path.parent.is_dir()
    }
    assert set(listed) == found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    """A module has at most 400 lines and a function at most 40, its docstring not counted."""
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    assert {f.name for f in functions if lines_of(f) > 40} == set()


def lines_of(function: ast.FunctionDef) -> int:
    """The length of a function without its docstring."""
    has_docstring = ast.get_docstring(function) is not None
    docstring = function.body[0]
    skipped = (docstring.end_lineno or 0) - docstring.lineno + 1 if has_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - skipped


def test_every_room_has_its_tests() -> None:
    """Each room is tested in the file of its name, or in that of the room it is the other half of."""
    rooms = {room_of(path) for path in MODULES} - {"__init__", "__main__"}
    elsewhere = {
        "worker": "student",
        "errors": "layout",
        "limits": "grading",
        "course": "grading",
        "authoring": "preview",
    }
    for room in rooms:
        assert (ROOT / "tests" / f"test_{elsewhere.get(room, room)}.py").is_file(), room
