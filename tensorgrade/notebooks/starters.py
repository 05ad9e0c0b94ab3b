"""nbgrader's step that clears solutions, with code to start from in their place.

In a code cell that students write in, the author may put a starter after a solution::

    ### BEGIN SOLUTION
    model.eval()
    ### END SOLUTION
    ### BEGIN STARTER
    # model.train()
    ### END STARTER

The notebook of the author runs the solution. Students get the lines of the starter without their comment
signs, in the place of nbgrader's stub; a starter without lines takes the stub away. Under nbgrader alone
they get the stub, and the lines as comments.
"""

from __future__ import annotations

from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import ClearSolutions as ClearSolutionsOfNbgrader
from nbgrader.utils import is_solution

from tensorgrade.notebooks.steps import BEGIN_STARTER, END_STARTER


class ClearSolutions(ClearSolutionsOfNbgrader):  # type: ignore[misc]  # nbgrader has no types
    """Clears solutions, and puts starters in their place; its settings are those of nbgrader's step."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, str], cell_index: int
    ) -> tuple[NotebookNode, object]:
        """Clear one cell; nbgrader calls this.

        Raises:
            RuntimeError: a starter does not follow a solution, holds a line that is no comment, or does not end.
        """
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        if cell.cell_type == "code" and is_solution(cell) and BEGIN_STARTER in cell.source:
            stub = self.code_stub[resources["language"]].split("\n")
            cell.source = _with_starters(cell.source, stub)
        return cell, resources


def _with_starters(source: str, stub: list[str]) -> str:
    """The text of a cell with each stub replaced by the lines of the starter that follows it."""
    kept: list[str] = []
    inside = False
    for line in source.split("\n"):
        if BEGIN_STARTER in line:
            if inside or [one.strip() for one in kept[-len(stub) :]] != [one.strip() for one in stub]:
                raise RuntimeError(f"{BEGIN_STARTER}: a starter has to follow the end of a solution")
            del kept[-len(stub) :]
            inside = True
        elif inside and END_STARTER in line:
            inside = False
        else:
            kept.append(_uncommented(line) if inside else line)
    if inside:
        raise RuntimeError(f"{BEGIN_STARTER}: {END_STARTER} is missing")
    return "\n".join(kept)


def _uncommented(line: str) -> str:
    """A line of a starter as students get it: what follows ``# `` moves to the place of the sign."""
    before, sign, code = line.partition("#")
    if not sign or before.strip():
        raise RuntimeError(f"{BEGIN_STARTER}: expected a comment, got {line.strip()!r}")
    return (before + code.removeprefix(" ")).rstrip()
