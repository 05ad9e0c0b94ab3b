"""Puts what cells printed into a notebook."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nbformat.notebooknode import NotebookNode

from tensorgrade.notebooks import CodeCell, with_outputs
from tensorgrade.student.session import Session


def executed_notebook(notebook: NotebookNode, cells: Sequence[CodeCell], session: Session) -> dict[str, Any]:
    """The notebook with the outputs of the cells that a session has run, as plain values.

    Args:
        notebook: from `restore`.
        cells: what the session was given, in its order.
        session: has run them.
    """
    outputs = {cells[position].index: found for position, found in session.outputs.items()}
    for position, loss in session.lost.items():
        outputs[cells[position].index] = [_loss_output(str(loss))]
    executed = with_outputs(notebook, outputs)
    for position, cell in enumerate(cells):
        executed.cells[cell.index].execution_count = position + 1
    plain: dict[str, Any] = json.loads(json.dumps(executed))
    return plain


def _loss_output(reason: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": "Stopped", "evalue": reason, "traceback": [f"Stopped: {reason}"]}
