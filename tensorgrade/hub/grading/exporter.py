"""Shows an autograded notebook to staff without believing what is in it."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import nbformat
import nh3
from jinja2 import Environment
from nbconvert.exporters import HTMLExporter
from nbformat.notebooknode import NotebookNode

from tensorgrade.hub.grading.templates import with_own_scripts
from tensorgrade.notebooks import is_autograded
from tensorgrade.notebooks.outputs import sanitise_outputs

CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
NAMES = ("student", "first_name", "last_name", "notebook_id", "assignment_id", "notebook_path")


class SubmissionPage(HTMLExporter):  # type: ignore[misc]  # nbconvert has no types
    """The page on which a submission is graded by hand."""

    def _create_environment(self) -> Environment:
        return with_own_scripts(super()._create_environment())

    def from_filename(self, filename: str, resources: Any = None, **kwargs: Any) -> tuple[str, dict[str, Any]]:
        """Render a notebook; formgrader calls this."""
        notebook = nbformat.read(filename, as_version=4)
        for number, cell in enumerate(notebook.cells):
            if not CELL_ID.fullmatch(str(cell.get("id", ""))):
                cell["id"] = f"cell-{number}"
            if cell.cell_type == "code":
                cell.outputs = _shown(cell)
        shown = {**(resources or {}), "metadata": {"name": Path(filename).stem}}
        for name in NAMES:
            shown[name] = html.escape(str(shown.get(name) or ""))
        result: tuple[str, dict[str, Any]] = self.from_notebook_node(notebook, resources=shown, **kwargs)
        return result


def _shown(cell: NotebookNode) -> list[NotebookNode]:
    """Outputs were made harmless when they were recorded; this is for notebooks that came here in another way."""
    if not is_autograded(cell) or not cell.outputs:
        return sanitise_outputs(cell.outputs)
    table = cell.outputs[0].get("data", {})
    text = table.get("text/html", "")
    # The table of checks: our own layout, and still nothing that runs or loads.
    clean = nh3.clean(text if isinstance(text, str) else "", generic_attribute_prefixes=set(), **_LAYOUT)
    first = NotebookNode(output_type="display_data", metadata=NotebookNode(), data=NotebookNode({"text/html": clean}))
    return [first, *sanitise_outputs(cell.outputs[1:])] if clean else sanitise_outputs(cell.outputs)


_LAYOUT: dict[str, Any] = {
    "tags": nh3.ALLOWED_TAGS - {"a", "area", "map", "img"},
    "attributes": {"*": {"style", "class", "scope", "title"}, "th": {"colspan", "rowspan"}, "td": {"colspan"}},
    "clean_content_tags": {"script", "style"},
}
