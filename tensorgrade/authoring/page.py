"""Writes a preview as one HTML page."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import nbformat
from nbconvert.exporters import HTMLExporter
from nbformat.notebooknode import NotebookNode
from traitlets.config import Config

from tensorgrade.authoring.preview import SOLUTION, UNTOUCHED, Preview, Trial
from tensorgrade.grading.records import Status
from tensorgrade.notebooks import grade_id_of, is_autograded
from tensorgrade.public import summary
from tensorgrade.reports import has_passed, practice_html, practice_text, task_table
from tensorgrade.reports.looks import LOOKS, templates

_ATTACHMENT = re.compile(r"attachment:([^)\s\"'>]+)")


def preview_page(preview: Preview, pictures: Path) -> str:
    """One page that needs no file beside it; MathJax, for the formulas, comes from its public address.

    Args:
        preview: what to show.
        pictures: folder that the pictures of the notebooks lie in.
    """
    untouched = next(trial for trial in preview.trials if trial.name == UNTOUCHED)
    return (
        templates()
        .get_template("preview.html.j2")
        .render(
            preview=preview,
            notebooks={name: _as_seen(notebook, untouched, pictures) for name, notebook in untouched.notebooks.items()},
            reports=[(trial, practice_html(trial.tasks)) for trial in preview.trials if _in_full(trial)],
            tasks=list(untouched.tasks),
            counts=[(trial, [_count(trial, task) for task in untouched.tasks]) for trial in preview.trials],
            feedback=[(trial, _feedback(trial)) for trial in preview.trials if trial.report is not None],
            passed=LOOKS[Status.PASSED],
            failed=LOOKS[Status.FAILED],
        )
    )


def _in_full(trial: Trial) -> bool:
    """Whether more than a line in the table is shown of it; of all mutants it would be too much."""
    return trial.name == SOLUTION or trial.report is not None


def _count(trial: Trial, task: str) -> tuple[bool, str]:
    checks = trial.tasks.get(task, ())
    return has_passed(checks), f"{sum(has_passed([check]) for check in checks)} of {len(checks)}"


def _feedback(trial: Trial) -> list[str]:
    report = trial.report
    if report is None:
        return []
    return [task_table(report, task) for task in report.tasks if not task.manual]


def _as_seen(notebook: NotebookNode, trial: Trial, pictures: Path) -> str:
    """The notebook as it looks after all cells have run, as a page of its own."""
    shown = copy.deepcopy(notebook)
    for cell in filter(is_autograded, shown.cells):
        name = grade_id_of(cell)
        tasks = {name: trial.tasks[name]} if name in trial.tasks else {}
        if name and tasks:
            data = {"text/html": practice_html(tasks), "text/plain": practice_text(tasks)}
            cell.outputs = [nbformat.v4.new_output("display_data", data=data)]
            if not has_passed(tasks[name]):
                error = {"ename": "PublicChecksFailed", "evalue": "", "traceback": [summary(tasks)]}
                cell.outputs.append(nbformat.v4.new_output("error", **error))
    for cell in shown.cells:
        cell.source = _without_lost_pictures(cell)
    exporter = HTMLExporter(config=Config(HTMLExporter={"require_js_url": "", "jquery_url": "", "embed_images": True}))
    page, _ = exporter.from_notebook_node(shown, resources={"metadata": {"path": str(pictures), "name": "notebook"}})
    return str(page)


def _without_lost_pictures(cell: NotebookNode) -> str:
    """The text of a cell; nbconvert makes no page where a pasted picture is gone, which the page warns of."""
    source = str(cell.source)
    for name in set(_ATTACHMENT.findall(source)) - set(cell.get("attachments", {})):
        source = source.replace(f"attachment:{name}", name)
    return source
