"""Runs the tests that stand in a notebook, as nbgrader without tensorgrade does.

These tests run where the student's code runs, in the sandbox. It keeps the machine, the gradebook
and the other students safe; the verdict itself is the student's process's own, and can be faked.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nbformat.notebooknode import NotebookNode

from tensorgrade.errors import GraderError, WorkerLost
from tensorgrade.grading.executed import executed_notebook
from tensorgrade.grading.hints import LOST_HINTS, MAX_LINE, NOT_WRITTEN, is_builtin_exception
from tensorgrade.grading.records import CheckRecord, Status
from tensorgrade.limits import Limits
from tensorgrade.notebooks import CodeCell, GradeCell, Steps, grade_id_of, is_autograded, sanitise_outputs
from tensorgrade.student.session import Session

# A worker says on stderr what it left out, and nbgrader gives no points for a cell with stderr.
OUTPUT_KIB = 8 * 1024
RATIONALE_BYTES = 16 * 1024
SENTENCE = "The tests in this cell pass."
NOT_RUN = "These tests were not run, because cells above them were stopped."
HIDDEN_FAILURE = "A hidden test does not pass."
STDERR_HINT = "The tests wrote to standard error, and that counts as a failure. Look for a warning."
OURS = re.compile(r"^\s*(from|import)\s+tensorgrade\b", re.MULTILINE)

Run = tuple[tuple[CheckRecord, ...], dict[str, dict[str, Any]]]


def with_room_for_output(limits: Limits) -> Limits:
    """The limits of an assignment whose verdicts are themselves outputs."""
    return replace(limits, output_kib=max(limits.output_kib, OUTPUT_KIB))


def require_tests_inside(name: str, sources: Mapping[str, NotebookNode], steps: Steps) -> None:
    """Refuse an assignment whose tests are not in its notebooks: to nbgrader, no output means full marks.

    Raises:
        GraderError: names the notebook, and says what to do.
    """
    generated = steps.step("InstantiateTests").autotest_delimiter
    for stem, source in sources.items():
        cells = [cell for cell in source.cells if cell.cell_type == "code"]
        if any(OURS.search(cell.source) for cell in cells):
            raise GraderError(
                f"graders/{name}: expected test_public.py or test_hidden.py, found neither, and "
                f"source/{name}/{stem}.ipynb uses tensorgrade: it cannot be graded by tests in the notebook"
            )
        if any(generated in cell.source for cell in cells if is_autograded(cell)):
            raise GraderError(
                f"source/{name}/{stem}.ipynb: a grade cell asks for generated tests ({generated}), which are not "
                "supported. Write the tests into the cell, or checks into graders/"
            )


@dataclass(frozen=True)
class ClassicGrader:
    """Grades by the tests in the source notebooks.

    Attributes:
        cells: the grade cells of all notebooks.
        sources: by name, the instructor's notebooks.
        steps: nbgrader's, with the course's settings.
        start: opens a session on cells.
    """

    cells: tuple[GradeCell, ...]
    sources: Mapping[str, NotebookNode]
    steps: Steps
    start: Callable[[Sequence[str]], Session]

    def run(self, notebooks: Mapping[str, NotebookNode]) -> Run:
        """Run every cell of the notebooks; one record for each grade cell, and the executed notebooks."""
        records: list[CheckRecord] = []
        executed = {}
        for name, notebook in notebooks.items():
            tests = {grade_id_of(cell): cell for cell in self.sources[name].cells if is_autograded(cell)}
            code = [(index, cell) for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
            full = {index: tests[grade_id_of(cell)] for index, cell in code if is_autograded(cell)}
            cells = [CodeCell(index, full.get(index, cell).source) for index, cell in code]
            with self.start([cell.source for cell in cells]) as session:
                verdicts = {
                    str(grade_id_of(full[cell.index])): self._record(full[cell.index], position, session)
                    for position, cell in enumerate(cells)
                    if cell.index in full
                }
            graded = [cell for cell in self.cells if cell.notebook == name and not cell.manual]
            records += [replace(verdicts[cell.grade_id], task=cell.name, name=cell.name) for cell in graded]
            executed[name] = executed_notebook(notebook, cells, session)
            for index, test in full.items():
                # What hidden tests show, tracebacks above all, quotes them.
                if self.steps.hidden_lines(test.source):
                    executed[name]["cells"][index]["outputs"] = []
        return tuple(records), executed

    def _record(self, test: NotebookNode, position: int, session: Session) -> CheckRecord:
        """The verdict on a grade cell: without outputs, and only then, the points are none."""
        hidden = self.steps.hidden_lines(test.source)
        name = str(grade_id_of(test))
        record = CheckRecord(name, name, _sentence(test, hidden), bool(hidden), 1.0, Status.FAILED, points=0.0)
        loss = session.lost.get(position)
        if loss is not None:
            return replace(record, hint=_loss_hint(loss), rationale=str(loss))
        if position not in session.outputs:
            return replace(record, hint=NOT_RUN, rationale=NOT_RUN)
        return self._judged(record, test, position + 1, session.outputs[position])

    def _judged(self, record: CheckRecord, test: NotebookNode, number: int, outputs: list[Any]) -> CheckRecord:
        """The record with nbgrader's own verdict on what the cell has put out."""
        from nbgrader.utils import determine_grade  # not above: this takes a while

        try:
            cell = NotebookNode(cell_type="code", source=test.source, metadata=test.metadata)
            cell.outputs = [
                NotebookNode({**output, "data": NotebookNode(output.get("data", {}))}) for output in outputs
            ]
            cell, _ = self.steps.step("IgnorePattern")(cell_as_notebook(cell), {})
            points, most = determine_grade(cell.cells[0])
        except Exception as error:  # more points than there are, or outputs that are none
            reason = f"nbgrader cannot say what this is worth: {type(error).__name__}: {error}"
            return replace(record, status=Status.BROKEN, points=None, rationale=reason)
        if points == most:
            return replace(record, status=Status.PASSED, points=float(points))
        # Errors first: what was printed before must not crowd them out.
        shown = sanitise_outputs(sorted(outputs, key=_is_no_error), RATIONALE_BYTES)
        hint = _hint(shown, number, test.source, self.steps.hidden_lines(test.source))
        if points:
            hint = f"The tests gave {points:g} of {most:g} points."
        return replace(record, points=float(points), hint=hint, rationale=_as_text(shown))


def _is_no_error(output: Any) -> bool:
    return not (isinstance(output, dict) and output.get("output_type") == "error")


def cell_as_notebook(cell: NotebookNode) -> NotebookNode:
    """A notebook of one cell, for nbgrader's steps."""
    return NotebookNode(cells=[cell], metadata=NotebookNode(), nbformat=4, nbformat_minor=5)


def _sentence(test: NotebookNode, hidden: frozenset[int]) -> str:
    """What students read: the docstring or the comment that the visible part of the cell begins with."""
    visible = "\n".join(line for number, line in enumerate(test.source.split("\n"), 1) if number not in hidden).strip()
    try:
        docstring = ast.get_docstring(ast.parse(visible))
    except (SyntaxError, ValueError):  # a cell may hold magics
        docstring = None
    first = visible.split("\n", 1)[0]
    comment = first.lstrip("# ") if first.startswith("#") else ""
    return " ".join((docstring or comment).split()) or SENTENCE


def _loss_hint(loss: WorkerLost) -> str:
    return LOST_HINTS.get(loss.outcome, LOST_HINTS["KILLED"])


def _hint(outputs: list[NotebookNode], number: int, source: str, hidden: frozenset[int]) -> str:
    """What a student may read of a failed cell: of a hidden test only that it is one."""
    error = next((output for output in outputs if output.output_type == "error"), None)
    if error is None:
        return STDERR_HINT
    if error.ename == "NotImplementedError":
        return NOT_WRITTEN
    name = error.ename if is_builtin_exception(error.ename) else "An exception"
    places = re.findall(rf"Cell In\[{number}\], line (\d+)", "\n".join(error.traceback))
    lines, numbers = source.split("\n"), [int(place) for place in places if len(place) < 6]
    if not numbers or not all(1 <= line <= len(lines) and line not in hidden for line in numbers):
        if not hidden:
            return f"{name} in these tests; it is shown below."
        return HIDDEN_FAILURE if name == "AssertionError" else f"{HIDDEN_FAILURE} It ended with {name}."
    text = error.evalue.strip()
    return f"{name} in the test `{lines[numbers[0] - 1].strip()[:MAX_LINE]}`" + (f": {text[:500]}" if text else "")


def _as_text(outputs: list[NotebookNode]) -> str:
    """Outputs for staff: what the cell has printed, returned and raised."""
    parts = {
        "stream": lambda output: f"{output.name}: {output.text}",
        "error": lambda output: "\n".join(output.traceback),
    }
    return "\n".join(
        parts.get(output.output_type, lambda output: str(output.data.get("text/plain", "")))(output)
        for output in outputs
    )
