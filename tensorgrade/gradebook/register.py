"""Makes the gradebook know an assignment as it stands in ``source/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import SaveCells

from tensorgrade.errors import GradebookError
from tensorgrade.notebooks import Steps, grade_id_of, gradebook_version, is_locked


def register_assignment(coursedir: CourseDirectory, name: str, steps: Steps) -> None:
    """Make the gradebook agree with ``source/``, without touching ``release/``.

    Args:
        coursedir: where nbgrader looks for everything.
        name: the assignment's.
        steps: nbgrader's, with the course's settings.

    Raises:
        GradebookError: cells were added or removed after submissions were graded.
        GraderError: nbgrader refuses a source notebook.
    """
    folder = Path(coursedir.format_path(coursedir.source_directory, ".", name))
    sources = {path.stem: steps.read_source(path) for path in sorted(folder.glob("*.ipynb"))}
    notebooks = {stem: gradebook_version(source, steps) for stem, source in sources.items()}
    wanted = {stem: _cells_as_stored(notebook) for stem, notebook in notebooks.items()}
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        stored = _stored_cells(gradebook, name)
        if stored == wanted:
            return
        assignment = gradebook.update_or_create_assignment(name)
        if assignment.submissions:
            _require_same_names(name, stored, wanted)
        for gone in set(stored) - set(wanted):
            gradebook.remove_notebook(gone, name)
    for stem, notebook in notebooks.items():
        names = {"notebook": stem, "assignment": name, "db_url": coursedir.db_url}
        SaveCells().preprocess(notebook, {"nbgrader": names})


def _cells_as_stored(notebook: NotebookNode) -> dict[str, tuple[object, ...]]:
    cells = ((cell, cell.metadata.get("nbgrader", {})) for cell in notebook.cells if grade_id_of(cell))
    return {
        nbgrader["grade_id"]: (
            cell.cell_type,
            cell.source,
            nbgrader.get("checksum"),
            is_locked(cell),
            nbgrader.get("points") if nbgrader.get("grade") or nbgrader.get("task") else None,
        )
        for cell, nbgrader in cells
        if any(nbgrader.get(role) for role in ("grade", "solution", "locked", "task"))
    }


def _stored_cells(gradebook: Any, name: str) -> dict[str, dict[str, tuple[object, ...]]]:
    try:
        notebooks = gradebook.find_assignment(name).notebooks
    except MissingEntry:
        return {}
    return {notebook.name: _cells_of(notebook) for notebook in notebooks}


def _cells_of(notebook: Any) -> dict[str, tuple[object, ...]]:
    points = {cell.name: cell.max_score for cell in [*notebook.grade_cells, *notebook.task_cells]}
    return {
        cell.name: (cell.cell_type, cell.source, cell.checksum, cell.locked, points.get(cell.name))
        for cell in notebook.source_cells
    }


def _require_same_names(
    name: str,
    stored: dict[str, dict[str, tuple[object, ...]]],
    wanted: dict[str, dict[str, tuple[object, ...]]],
) -> None:
    old = {f"{stem}.ipynb:{cell}" for stem, cells in stored.items() for cell in ("", *cells)}
    new = {f"{stem}.ipynb:{cell}" for stem, cells in wanted.items() for cell in ("", *cells)}
    if old != new:
        changes = ", ".join([*(f"+{cell}" for cell in sorted(new - old)), *(f"-{cell}" for cell in sorted(old - new))])
        raise GradebookError(
            f"source/{name}: nbgrader cannot add or remove cells once submissions are graded ({changes}). "
            f"Undo that, or give the assignment a new name, or remove it with "
            f"`nbgrader db assignment remove {name} --force` (its manual scores are lost) and grade again."
        )
