"""Reads a notebook file of any origin as a well-formed notebook."""

from __future__ import annotations

import copy
import json
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode

from tensorgrade.errors import NotebookError
from tensorgrade.notebooks.outputs import joined

NOTEBOOK_BYTES = 20 * 1024 * 1024
CELLS_OF_A_NOTEBOOK = 2000
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
    clean = [well_formed(cell) for cell in cells if isinstance(cell, dict)]
    return assembled(clean, metadata if isinstance(metadata, dict) else {})


def read_notebooks(folder: Path) -> dict[str, NotebookNode]:
    """By name, in their order, the notebooks that lie in a folder.

    Raises:
        NotebookError: one of them cannot be read.
    """
    return {path.stem: read_notebook(path) for path in sorted(folder.glob("*.ipynb"))}


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


def well_formed(cell: dict[str, Any]) -> NotebookNode:
    """A cell with the fields of its kind and no other, and without outputs."""
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
    elif attachments := attachments_of(cell.get("attachments")):
        clean.attachments = attachments
    return clean


def attachments_of(value: object) -> NotebookNode:
    """The images that were pasted into a text cell."""
    kept = NotebookNode()
    for name, bundle in value.items() if isinstance(value, dict) else ():
        images = bundle.items() if isinstance(bundle, dict) else ()
        clean = {mime: joined(data) for mime, data in images if mime in _ATTACHMENT_TYPES and joined(data)}
        if clean:
            kept[name] = NotebookNode(clean)
    return kept


def assembled(cells: Iterable[NotebookNode], metadata: dict[str, Any]) -> NotebookNode:
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
