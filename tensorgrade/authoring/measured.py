"""Finds the checks that decide by a measured value, without running them, and what their values depend on."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from tensorgrade.authoring.answers import find_answers
from tensorgrade.course import Assignment
from tensorgrade.errors import GraderError
from tensorgrade.grading.plugin import GraderPlugin
from tensorgrade.grading.run import plan_checks
from tensorgrade.notebooks import CellEdits, grade_cells, read_edits, read_notebook

FIXTURE = "calibrated"
HEADERS = ("killed by", "measured by")


@dataclass(frozen=True)
class Measured:
    """A check that decides by measured values.

    Attributes:
        assignment: the check's.
        check: its name.
        file: where it stands.
        names: of its values.
    """

    assignment: Assignment
    check: str
    file: Path
    names: tuple[str, ...]

    @cached_property
    def task(self) -> str:
        """The task that the check belongs to.

        Raises:
            GraderError: the check cannot be planned, or runs with parameters.
        """
        cells = [
            cell for path in self.assignment.source_notebooks for cell in grade_cells(read_notebook(path), path.stem)
        ]
        tasks = dict.fromkeys(cell.name for cell in cells if not cell.manual)
        plugin = GraderPlugin(tasks, b"", self.assignment.name)  # type: ignore[arg-type]  # nobody is asked
        plan_checks(self.assignment.grader_files, plugin)
        where = f"graders/{self.assignment.name}"
        if plugin.problems:
            raise GraderError(f"{where}/{plugin.problems[0]}")
        if self.check not in plugin.planned:
            raise GraderError(f"{where}/{self.file.name}: {self.check}: a check that measures takes no parameters")
        return plugin.planned[self.check].task

    @cached_property
    def mutants(self) -> tuple[CellEdits, ...]:
        """The mutants that name the check."""
        return tuple(edits for edits in self._edits("mutants") if self.check in _named(edits))

    @cached_property
    def variants(self) -> tuple[CellEdits, ...]:
        """The correct solutions in another style that answer the check's task."""
        cells = {answer.cell for answer in find_answers(self.assignment) if answer.task == self.task}
        return tuple(edits for edits in self._edits("variants") if cells & set(edits.cells))

    @cached_property
    def base(self) -> str:
        """A hash of what every run depends on: the check, the grader's own code beside it, the solution."""
        parts = [_source_of(self.file, self.check)]
        parts += [_without_words(path.read_text(encoding="utf-8")) for path in self.assignment.worker_files]
        for path in self.assignment.source_notebooks:
            parts += [_without_words(cell.source) for cell in read_notebook(path).cells if cell.cell_type == "code"]
        return _digest(parts)

    def fingerprint_of(self, edits: CellEdits) -> str:
        """A hash of what the runs of a mutant or variant depend on; of the solution without edits."""
        cells = [f"{name}\0{_without_words(source)}" for name, source in sorted(edits.cells.items())]
        return _digest([self.base, *cells])

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what all values depend on, but for the versions of the libraries."""
        edits = [*self.variants, *self.mutants]
        return _digest([self.base, *sorted(f"{one.file.stem}\0{self.fingerprint_of(one)}" for one in edits)])

    def _edits(self, folder: str) -> Iterator[CellEdits]:
        for path in sorted((self.assignment.graders / folder).glob("*.py")):
            yield read_edits(path)


def find_measured(assignment: Assignment) -> tuple[Measured, ...]:
    """The checks of an assignment that use the fixture `calibrated`.

    Raises:
        GraderError: a file is no Python, a name is not written in quotes, or two checks have the same name for a value.
    """
    found: list[Measured] = []
    for path in assignment.grader_files:
        for function in _functions(path):
            if function.name.startswith("test_") and FIXTURE in {word.arg for word in function.args.args}:
                names = tuple(dict.fromkeys(_names_in(path, function)))
                found.append(Measured(assignment, function.name, path, names))
    for place, one in enumerate(found):
        if path_problem := _problem(one, found[:place]):
            raise GraderError(f"graders/{assignment.name}/{one.file.name}: {one.check}: {path_problem}")
    return tuple(found)


def versions() -> str:
    """What values are measured with, for the record."""
    return f"torch {torch.__version__}"


def _problem(one: Measured, before: Iterable[Measured]) -> str | None:
    doubled = {name: other.check for other in before for name in other.names if name in one.names}
    for name, check in doubled.items():
        return f"{check} measures {name!r} too; give the value another name"
    if one.file.name == "test_public.py":
        return "measures by a calibration, which students do not have. Make it a hidden check"
    if not one.names:
        return f'expected a call such as {FIXTURE}("accuracy", measure, hint="…")'
    return None


def _functions(path: Path) -> list[ast.FunctionDef]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        raise GraderError(f"graders/{path.parent.name}/{path.name}: cannot be loaded: {error}") from error
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


def _names_in(path: Path, function: ast.FunctionDef) -> Iterator[str]:
    """The names of the values that a check measures."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == FIXTURE:
            first = node.args[0] if node.args else next((one.value for one in node.keywords if one.arg == "name"), None)
            if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
                where = f"graders/{path.parent.name}/{path.name}, line {node.lineno}"
                raise GraderError(f"{where}: {FIXTURE}: expected the name of the value in quotes")
            yield first.value


def _named(edits: CellEdits) -> set[str]:
    words = ",".join(edits.headers.get(header, "") for header in HEADERS)
    return {word.strip() for word in words.split(",")}


def _source_of(path: Path, check: str) -> str:
    """The code of a grader's file but for its other checks, without comments and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    others = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_") and n.name != check]
    tree.body = [node for node in tree.body if node not in others]
    return _unparsed(tree)


def _without_words(source: str) -> str:
    """Python without comments and docstrings; a cell with magics as it is."""
    try:
        return _unparsed(ast.parse(source))
    except (SyntaxError, ValueError):
        return re.sub(r"\s+", " ", source)


def _unparsed(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _digest(parts: Iterable[str]) -> str:
    """Short, because people compare it by eye in a file that is under version control."""
    return hashlib.sha256("\0\0".join(parts).encode()).hexdigest()[:16]
