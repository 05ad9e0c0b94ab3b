"""The cell that lets a released notebook run where neither tensorgrade nor the course's files are."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping

import nbformat
from nbformat.notebooknode import NotebookNode

CELL_ID = "tensorgrade-setup"
SOURCE = """\
# @title Set-up for Colab and the like; where the course's files are, this cell does nothing
def set_up():
    import base64, importlib.util, pathlib, subprocess, sys

    if importlib.util.find_spec("tensorgrade") is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *{install}], check=True)
        importlib.invalidate_caches()
    files = {files}
    for name, content in files.items():
        file = pathlib.Path(name)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(base64.b64decode(content))


set_up()
del set_up"""
# Folded in JupyterLab and in Colab: it is no part of the assignment.
METADATA = {"deletable": False, "editable": False, "cellView": "form", "jupyter": {"source_hidden": True}}


def add_setup_cell(notebook: NotebookNode, install: str, files: Mapping[str, bytes]) -> None:
    """Put the cell before the first code cell; nbgrader does not know it, so it is neither locked nor graded.

    Args:
        notebook: a released one.
        install: what pip shall install, as on its command line.
        files: by path, what is released beside the notebook. They stand in the cell itself: a place to
            download them from would be one more thing to publish, and to keep equal.
    """
    encoded = {name: base64.b64encode(content).decode() for name, content in files.items()}
    source = SOURCE.format(install=shlex.split(install), files=encoded)
    first = next((index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"), 0)
    cell = nbformat.v4.new_code_cell(source, id=CELL_ID, metadata=METADATA)
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        del cell["id"]  # older notebooks have none
    notebook.cells.insert(first, cell)
