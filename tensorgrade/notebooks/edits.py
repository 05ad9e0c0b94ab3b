"""Reads a file of changed cells: a mutant, or a submission for a test."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from nbformat.notebooknode import NotebookNode

from tensorgrade.errors import UsageError

_CELL = re.compile(r"# %% ([A-Za-z0-9_-]+)\s*")
_HEADER = re.compile(r"# ([a-z][a-z ]*): *(.*)")
_SUMMARY = re.compile(r'\s*"""(.*?)"""[ \t]*\n?', re.DOTALL)


@dataclass(frozen=True)
class CellEdits:
    """What to write into some cells of a notebook.

    Attributes:
        summary: what is wrong with it, in one sentence.
        headers: the ``# name: value`` lines above the first cell.
        cells: grade_id to the cell's new text.
        file: where it was read from, for messages.
    """

    summary: str
    headers: dict[str, str]
    cells: dict[str, str] = field(default_factory=dict)
    file: Path = Path("edits")


def read_edits(path: Path) -> CellEdits:
    """Read a file with a docstring, headers and ``# %% grade_id`` cells.

    It is read by lines: a cell may hold anything, syntax errors too.

    Raises:
        UsageError: the file cannot be read, has no docstring, or names a cell twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    summary = _SUMMARY.match(text)
    if summary is None:
        raise UsageError(f'{path}: expected a first line such as """The scores are not scaled."""')
    head, cells = _split(text[summary.end() :], path)
    headers = {match[1].strip(): match[2].strip() for line in head if (match := _HEADER.fullmatch(line))}
    return CellEdits(" ".join(summary[1].split()), headers, cells, path)


def _split(text: str, path: Path) -> tuple[list[str], dict[str, str]]:
    head: list[str] = []
    cells: dict[str, list[str]] = {}
    current = head
    for line in text.split("\n"):
        if match := _CELL.fullmatch(line):
            if match[1] in cells:
                raise UsageError(f"{path}: cell {match[1]!r} is given twice")
            current = cells[match[1]] = []
        else:
            current.append(line)
    return head, {name: "\n".join(lines).strip("\n") for name, lines in cells.items()}


def with_edits(notebook: NotebookNode, edits: CellEdits) -> NotebookNode:
    """A copy of the notebook with the edited cells in place.

    Raises:
        UsageError: an edit names a grade_id that no cell has.
    """
    result = copy.deepcopy(notebook)
    cells = {_grade_id(cell): cell for cell in result.cells}
    for name, source in edits.cells.items():
        if name not in cells:
            known = ", ".join(sorted(filter(None, cells)))
            raise UsageError(f"{edits.file}: no cell has the grade_id {name!r}. Known: {known}.")
        cells[name].source = source
    return result


def with_edits_anywhere(notebooks: Mapping[str, NotebookNode], edits: CellEdits) -> dict[str, NotebookNode]:
    """Copies of several notebooks by name, each edited cell in the one that has it.

    Raises:
        UsageError: an edit names a grade_id that no cell has.
    """
    result = dict(notebooks)
    places = {_grade_id(cell): name for name, notebook in notebooks.items() for cell in notebook.cells}
    for cell, source in edits.cells.items():
        name = places.get(cell, next(iter(notebooks)))  # a grade_id that nobody has is an error there
        result[name] = with_edits(result[name], replace(edits, cells={cell: source}))
    return result


def _grade_id(cell: NotebookNode) -> str | None:
    name: str | None = cell.metadata.get("nbgrader", {}).get("grade_id")
    return name
