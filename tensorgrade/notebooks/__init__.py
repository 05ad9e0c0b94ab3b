"""Turns a notebook into what its reader may have: a release, the cells to run, the autograded copy."""

from __future__ import annotations

import copy
import json
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode

from tensorgrade.errors import GraderError, NotebookError
from tensorgrade.notebooks.edits import CellEdits, read_edits, with_edits
from tensorgrade.notebooks.outputs import OUTPUT_BYTES, joined, sanitise_outputs

__all__ = [
    "CellEdits",
    "CodeCell",
    "GradeCell",
    "cells_to_run",
    "grade_cells",
    "grade_id_of",
    "gradebook_version",
    "is_autograded",
    "is_locked",
    "read_edits",
    "read_notebook",
    "restore",
    "sanitise_outputs",
    "student_version",
    "with_edits",
    "with_outputs",
]

NOTEBOOK_BYTES = 20 * 1024 * 1024
CELLS_OF_A_NOTEBOOK = 2000
OUTPUT_BYTES_OF_A_NOTEBOOK = 8 * 1024 * 1024
JSON_DEPTH = 60  # copying and validating recurse several frames per level, of about 1000 that Python allows

_CELL_TYPES = ("code", "markdown", "raw")
_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ATTACHMENT_TYPES = ("image/png", "image/jpeg", "image/gif")


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook of any version as version 4, with everything in it well formed.

    Odd metadata and cell ids are repaired. Outputs are left out: none that a file holds is believed.

    Raises:
        NotebookError: the file is too large, not a regular file, not UTF-8, not JSON, nested too
            deeply, not a notebook, or has too many cells.
    """
    try:
        content = json.loads(_read_text(path), parse_constant=lambda _: None)
    except RecursionError as error:
        raise NotebookError(f"{path.name}: nested more than {JSON_DEPTH} levels deep") from error
    except ValueError as error:
        raise NotebookError(f"{path.name}: not a notebook: it is not JSON ({str(error)[:80]})") from error
    if _is_deeper(content, JSON_DEPTH):
        raise NotebookError(f"{path.name}: nested more than {JSON_DEPTH} levels deep")
    cells = _cells_of(content, path.name)
    if len(cells) > CELLS_OF_A_NOTEBOOK:
        raise NotebookError(f"{path.name}: expected at most {CELLS_OF_A_NOTEBOOK:,} cells, got {len(cells):,}")
    metadata = content.get("metadata")
    clean = [_well_formed(cell) for cell in cells if isinstance(cell, dict)]
    return _notebook(clean, metadata if isinstance(metadata, dict) else {})


def _read_text(path: Path) -> str:
    try:
        # A link could name another student's file, and opening a pipe would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise NotebookError(f"{path.name}: expected a regular file")
            content = file.read(NOTEBOOK_BYTES + 1)
    except OSError as error:
        raise NotebookError(f"{path.name}: cannot be read ({error.strerror})") from error
    if len(content) > NOTEBOOK_BYTES:
        raise NotebookError(f"{path.name}: larger than {NOTEBOOK_BYTES // 2**20} MiB; clear its outputs")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotebookError(f"{path.name}: not UTF-8 (byte {error.start:,})") from error


def _is_deeper(value: object, limit: int) -> bool:
    """Whether JSON is nested more deeply than that, found out without recursion."""
    level: list[object] = [value]
    for _ in range(limit):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def _cells_of(content: Any, name: str) -> list[Any]:
    version = content.get("nbformat") if isinstance(content, dict) else None
    if type(version) is not int or not 1 <= version <= 4:
        raise NotebookError(f"{name}: not a notebook: no nbformat between 1 and 4")
    if version < 4:
        try:
            content = nbformat.convert(nbformat.reader.reads(json.dumps(content)), 4)
        except Exception as error:  # the converters of old versions check nothing
            raise NotebookError(f"{name}: not a notebook of version {version}") from error
    cells = content.get("cells")
    if not isinstance(cells, list):
        raise NotebookError(f"{name}: not a notebook: it has no list of cells")
    return cells


def _well_formed(cell: dict[str, Any]) -> NotebookNode:
    kind = cell.get("cell_type")
    metadata = cell.get("metadata")
    clean = NotebookNode(
        id=cell.get("id"),
        cell_type=kind if kind in _CELL_TYPES else "raw",
        metadata=nbformat.from_dict(metadata) if isinstance(metadata, dict) else NotebookNode(),
        source=joined(cell.get("source")) or "",
    )
    if kind == "code":
        clean.execution_count, clean.outputs = None, []
    elif attachments := _attachments(cell.get("attachments")):
        clean.attachments = attachments
    return clean


def _attachments(value: object) -> NotebookNode:
    """The images that were pasted into a text cell."""
    kept = NotebookNode()
    for name, bundle in value.items() if isinstance(value, dict) else ():
        images = bundle.items() if isinstance(bundle, dict) else ()
        clean = {mime: joined(data) for mime, data in images if mime in _ATTACHMENT_TYPES and joined(data)}
        if clean:
            kept[name] = NotebookNode(clean)
    return kept


def _notebook(cells: Iterable[NotebookNode], metadata: dict[str, Any]) -> NotebookNode:
    """A notebook whose cell ids are valid, unique and the same every time it is made."""
    metadata = nbformat.from_dict(copy.deepcopy(metadata))
    notebook = NotebookNode(nbformat=4, nbformat_minor=5, metadata=metadata, cells=list(cells))
    wanted = {cell.get("id") for cell in notebook.cells if isinstance(cell.get("id"), str)}
    taken: set[str] = set()
    for index, cell in enumerate(notebook.cells):
        name = cell.get("id")
        if not isinstance(name, str) or not _CELL_ID.fullmatch(name) or name in taken:
            name = _free_id(index, taken | wanted)
        cell.id = name
        taken.add(name)
    return notebook


def _free_id(index: int, taken: set[str]) -> str:
    number = index
    while f"cell-{number}" in taken:
        number += 1
    return f"cell-{number}"


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


def gradebook_version(source: NotebookNode) -> NotebookNode:
    """The source as the gradebook keeps it: without solutions and hidden tests, with the marking scheme.

    Raises:
        GraderError: nbgrader refuses the source notebook.
    """
    from nbgrader import preprocessors as nbgrader  # not above: this takes a second

    steps = (
        nbgrader.LockCells,
        nbgrader.ClearSolutions,
        nbgrader.ClearOutput,
        nbgrader.CheckCellMetadata,
        nbgrader.ClearHiddenTests,
        nbgrader.ComputeChecksums,
    )
    return _preprocessed(source, steps)


def _preprocessed(source: NotebookNode, steps: Iterable[Any]) -> NotebookNode:
    notebook = copy.deepcopy(source)
    try:
        for step in steps:
            notebook, _ = step().preprocess(notebook, {})
    except Exception as error:  # nbgrader raises RuntimeError, ValueError, KeyError, ValidationError ...
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise GraderError(f"source notebook: nbgrader cannot make a student version: {reason}") from error
    return notebook


def student_version(source: NotebookNode) -> NotebookNode:
    """The notebook that students get: what ``nbgrader generate_assignment`` makes with its default settings.

    Raises:
        GraderError: nbgrader refuses the source notebook.
    """
    from nbgrader import preprocessors as nbgrader

    steps = (nbgrader.ClearMarkScheme, nbgrader.ComputeChecksums, nbgrader.CheckCellMetadata)
    return _preprocessed(gradebook_version(source), steps)


def restore(submitted: NotebookNode, source: NotebookNode) -> NotebookNode:
    """The submitted notebook with the student's answers, and all else the instructor's.

    What the file says about itself is not believed: metadata, tags, points and outputs go.
    Locked cells are the instructor's, deleted ones are back, and of cells with one grade_id
    the last one counts, as in nbgrader. Restoring twice changes nothing.

    Raises:
        GraderError: nbgrader refuses the source notebook.
    """
    saved = gradebook_version(source)
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
    return _notebook(_completed(cells, known), saved.metadata)


def _answered(cell: NotebookNode, instructor: NotebookNode) -> NotebookNode:
    """The instructor's cell, with the student's text if it is for students to write in."""
    result = copy.deepcopy(instructor)
    if is_locked(instructor):
        return result
    result.source = joined(cell.get("source")) or ""
    result.pop("attachments", None)
    attachments = _attachments(cell.get("attachments"))
    if attachments and result.cell_type != "code":
        result.attachments = attachments
    return result


def _plain(cell: NotebookNode, reserved: set[str]) -> NotebookNode:
    """A cell that the instructor's notebook does not know, as text or code and nothing else."""
    result = _well_formed({**cell, "metadata": {}})
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
        name: its grade_id.
        notebook: name of its notebook, without ``.ipynb``.
        manual: whether a person gives the points: an answer that is itself graded, or a task cell.
    """

    name: str
    notebook: str
    max_points: float
    manual: bool


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


def _grade_cell(cell: NotebookNode, notebook: str) -> GradeCell:
    name, points = grade_id_of(cell), _nbgrader(cell).get("points")
    if name is None or isinstance(points, bool) or not isinstance(points, int | float) or not 0 <= points < 1e6:
        raise GraderError(f"{notebook}.ipynb: grade cell {name!r}: expected points of at least 0, got {points!r}")
    return GradeCell(name, notebook, float(points), manual=not is_autograded(cell))


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
        outputs: index of a cell that `cells_to_run` named, and what the worker sent for it.
        limit_bytes: shown of one cell, in bytes.
    """
    result = copy.deepcopy(notebook)
    left_bytes = OUTPUT_BYTES_OF_A_NOTEBOOK
    run = [cell.index for cell in cells_to_run(result)]
    for count, index in enumerate((index for index in run if index in outputs), start=1):
        cell = result.cells[index]
        cell.execution_count = count
        cell.outputs = sanitise_outputs(outputs[index], min(limit_bytes, left_bytes))
        left_bytes = max(0, left_bytes - len(json.dumps(cell.outputs)))
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return result
