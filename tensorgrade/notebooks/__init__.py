"""Turns a notebook into what its reader may have: a release, the cells to run, the autograded copy."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from nbformat.notebooknode import NotebookNode

from tensorgrade.errors import GraderError
from tensorgrade.notebooks.edits import CellEdits, read_edits, with_edits, with_edits_anywhere
from tensorgrade.notebooks.outputs import OUTPUT_BYTES, joined, sanitise_outputs
from tensorgrade.notebooks.reading import assembled, attachments_of, read_notebook, read_notebooks, well_formed
from tensorgrade.notebooks.steps import DEFAULT_STEPS, Steps, gradebook_version, student_version

__all__ = [
    "CellEdits",
    "CodeCell",
    "GradeCell",
    "Steps",
    "cells_to_run",
    "grade_cells",
    "grade_id_of",
    "gradebook_version",
    "is_autograded",
    "is_locked",
    "language_of",
    "read_edits",
    "read_notebook",
    "read_notebooks",
    "restore",
    "sanitise_outputs",
    "student_version",
    "with_distinct_names",
    "with_edits",
    "with_edits_anywhere",
    "with_outputs",
    "without_demos",
]

DEMO = "demo"
OUTPUT_BYTES_OF_A_NOTEBOOK = 8 * 1024 * 1024


def _nbgrader(cell: NotebookNode) -> dict[str, Any]:
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return nbgrader if isinstance(nbgrader, dict) else {}


def grade_id_of(cell: NotebookNode) -> str | None:
    """The grade_id in a cell's metadata, if it has one."""
    name = _nbgrader(cell).get("grade_id")
    return name if isinstance(name, str) and name else None


def is_locked(cell: NotebookNode) -> bool:
    """Whether the instructor's text stands in this cell whatever the student wrote there."""
    nbgrader = _nbgrader(cell)
    return bool(not nbgrader.get("solution") and (nbgrader.get("grade") or nbgrader.get("locked")))


def is_autograded(cell: NotebookNode) -> bool:
    """Whether a grader gives the points of this cell."""
    nbgrader = _nbgrader(cell)
    return bool(cell.cell_type == "code" and nbgrader.get("grade") and not nbgrader.get("solution"))


def without_demos(notebook: NotebookNode) -> NotebookNode:
    """The notebook without the cells that its author has given the tag ``demo``: they show, and nothing needs them."""
    cells = [cell for cell in notebook.cells if DEMO not in cell.metadata.get("tags", ())]
    return NotebookNode({**notebook, "cells": cells})


def restore(submitted: NotebookNode, source: NotebookNode, steps: Steps = DEFAULT_STEPS) -> NotebookNode:
    """The submitted notebook with the student's answers, and all else the instructor's.

    What the file says about itself is not believed: metadata, tags, points and outputs go.
    Locked cells are the instructor's, deleted ones are back, and of cells with one grade_id
    the last one counts, as in nbgrader. Restoring twice changes nothing.

    Args:
        submitted: a student's notebook.
        source: the instructor's, with header and footer.
        steps: nbgrader's, with the course's settings.

    Raises:
        GraderError: nbgrader refuses the source notebook.
    """
    saved = gradebook_version(source, steps)
    known = {name: cell for cell in saved.cells if (name := grade_id_of(cell)) is not None}
    last = {grade_id_of(cell): index for index, cell in enumerate(submitted.cells)}
    reserved = {cell.get("id") for cell in known.values()}
    cells = []
    for index, cell in enumerate(submitted.cells):
        name = grade_id_of(cell)
        if name in known and last[name] == index:
            cells.append(_answered(cell, known[name]))
        else:
            cells.append(_plain(cell, reserved))
    return assembled(_completed(cells, known), saved.metadata)


def _answered(cell: NotebookNode, instructor: NotebookNode) -> NotebookNode:
    """The instructor's cell, with the student's text if it is for students to write in."""
    result = copy.deepcopy(instructor)
    if is_locked(instructor):
        return result
    result.source = joined(cell.get("source")) or ""
    result.pop("attachments", None)
    attachments = attachments_of(cell.get("attachments"))
    if attachments and result.cell_type != "code":
        result.attachments = attachments
    return result


def _plain(cell: NotebookNode, reserved: set[str]) -> NotebookNode:
    """A cell that the instructor's notebook does not know, as text or code and nothing else."""
    result = well_formed({**cell, "metadata": {}})
    if result.id in reserved:
        result.id = None
    return result


def _completed(cells: list[NotebookNode], known: dict[str, NotebookNode]) -> list[NotebookNode]:
    """The cells with each missing one put back after its predecessor in the instructor's order."""
    present = {grade_id_of(cell) for cell in cells}
    position = 0
    for name, instructor in known.items():
        if name not in present:
            cells.insert(position, copy.deepcopy(instructor))
        position = 1 + next(index for index, cell in enumerate(cells) if grade_id_of(cell) == name)
    return cells


@dataclass(frozen=True)
class GradeCell:
    """A cell that has points.

    Attributes:
        name: its grade_id, after the notebook and a slash where another notebook has the same.
        notebook: name of its notebook, without ``.ipynb``.
        manual: whether a person gives the points: an answer that is itself graded, or a task cell.
    """

    name: str
    notebook: str
    max_points: float
    manual: bool

    @property
    def grade_id(self) -> str:
        """What nbgrader calls it; a grade_id holds no slash."""
        return self.name.rpartition("/")[2]


def grade_cells(notebook: NotebookNode, name: str) -> tuple[GradeCell, ...]:
    """The cells of an instructor's notebook that have points, in order.

    Args:
        notebook: its metadata is believed.
        name: name of the notebook, without ``.ipynb``.

    Raises:
        GraderError: a cell has no points, or no grade_id.
    """
    graded = [cell for cell in notebook.cells if _nbgrader(cell).get("grade") or _nbgrader(cell).get("task")]
    return tuple(_grade_cell(cell, name) for cell in graded)


def with_distinct_names(cells: Iterable[GradeCell], *, manual_only: bool) -> tuple[GradeCell, ...]:
    """The grade cells of several notebooks, with the notebook in the name of those that share a grade_id.

    Args:
        cells: of all notebooks of an assignment.
        manual_only: leave those alone whose points a grader gives: its checks name them.
    """
    cells = tuple(cells)
    count = Counter(cell.name for cell in cells)
    return tuple(
        replace(cell, name=f"{cell.notebook}/{cell.name}")
        if count[cell.name] > 1 and (cell.manual or not manual_only)
        else cell
        for cell in cells
    )


def _grade_cell(cell: NotebookNode, notebook: str) -> GradeCell:
    name, points = grade_id_of(cell), _nbgrader(cell).get("points")
    if name is None or isinstance(points, bool) or not isinstance(points, int | float) or not 0 <= points < 1e6:
        raise GraderError(f"{notebook}.ipynb: grade cell {name!r}: expected points of at least 0, got {points!r}")
    return GradeCell(name, notebook, float(points), manual=not is_autograded(cell))


def language_of(notebook: NotebookNode) -> str:
    """The programming language that a notebook says it is in; Python where it says nothing."""
    for field, key in (("kernelspec", "language"), ("language_info", "name")):
        section = notebook.metadata.get(field)
        language = section.get(key) if isinstance(section, dict) else None
        if isinstance(language, str) and language:
            return language
    return "python"


@dataclass(frozen=True)
class CodeCell:
    """A code cell to run, with its index in the notebook, from 0."""

    index: int
    source: str


def cells_to_run(notebook: NotebookNode) -> tuple[CodeCell, ...]:
    """The code cells in order, without those whose points a grader gives: these are never run."""
    return tuple(
        CodeCell(index, cell.source)
        for index, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and not is_autograded(cell)
    )


def with_outputs(
    notebook: NotebookNode, outputs: dict[int, list[dict[str, Any]]], *, limit_bytes: int = OUTPUT_BYTES
) -> NotebookNode:
    """A copy of the notebook that shows what its cells printed, as far as that is harmless.

    Args:
        notebook: from `restore`.
        outputs: index of a code cell, and what the worker sent for it.
        limit_bytes: shown of one cell, in bytes.
    """
    result = copy.deepcopy(notebook)
    left_bytes = OUTPUT_BYTES_OF_A_NOTEBOOK
    for count, index in enumerate(sorted(outputs), start=1):
        cell = result.cells[index]
        cell.execution_count = count
        cell.outputs = sanitise_outputs(outputs[index], min(limit_bytes, left_bytes))
        left_bytes = max(0, left_bytes - len(json.dumps(cell.outputs)))
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return result
