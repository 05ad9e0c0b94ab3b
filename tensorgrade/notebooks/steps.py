"""nbgrader's steps from a source notebook to its versions, with a course's settings."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from traitlets.config import Config

from tensorgrade.errors import GraderError, NotebookError
from tensorgrade.notebooks.reading import assembled, read_notebook

GRADEBOOK_STEPS = (
    "LockCells",
    "ClearSolutions",
    "ClearOutput",
    "CheckCellMetadata",
    "ClearHiddenTests",
    "ComputeChecksums",
)
STUDENT_STEPS = ("ClearMarkScheme", "ComputeChecksums", "CheckCellMetadata")
BEGIN_STARTER, END_STARTER = "BEGIN STARTER", "END STARTER"


@dataclass(frozen=True, eq=False)
class Steps:
    """nbgrader's steps as a course has configured them; equal if their settings are.

    Attributes:
        config: the settings that nbgrader reads: ``c`` in ``nbgrader_config.py``.
        root: the course directory, where header and footer are looked for.
    """

    config: Any = field(default_factory=Config)
    root: Path = Path()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Steps) and self._settings == other._settings

    def __hash__(self) -> int:
        return hash(self._settings)

    @property
    def _settings(self) -> tuple[str, Path]:
        return repr(self.config), self.root

    def read_source(self, path: Path) -> NotebookNode:
        """Read an instructor's notebook, with the cells of the course's header and footer.

        Raises:
            NotebookError: the notebook cannot be read.
            GraderError: the header or the footer cannot be read.
        """
        source = read_notebook(path)
        frame = self.step("IncludeHeaderFooter")
        if not frame.enabled or not (frame.header or frame.footer):
            return source
        head, foot = self._cells_of(frame.header, "header"), self._cells_of(frame.footer, "footer")
        return assembled([*head, *source.cells, *foot], source.metadata)

    def step(self, name: str) -> Any:
        """One of nbgrader's preprocessors with the course's settings."""
        from nbgrader import preprocessors  # not above: this takes a second

        from tensorgrade.notebooks import starters

        found = starters.ClearSolutions if name == "ClearSolutions" else getattr(preprocessors, name)
        return found(config=self.config)

    def hidden_lines(self, source: str) -> frozenset[int]:
        """The numbers, from 1, of the lines of a grade cell that students do not get."""
        clear = self.step("ClearHiddenTests")
        marks = (clear.begin_test_delimeter, clear.end_test_delimeter)
        return _lines_from_to(source, *marks) if clear.enabled else frozenset()

    def solution_lines(self, source: str) -> frozenset[int]:
        """The numbers, from 1, of the lines of an answer that students do not get: all where none are marked."""
        clear = self.step("ClearSolutions")
        marked = _lines_from_to(source, clear.begin_solution_delimeter, clear.end_solution_delimeter)
        return marked or frozenset(range(1, source.count("\n") + 2))

    def written_lines(self, source: str) -> frozenset[int]:
        """The numbers, from 1, of the lines of an answer that students may change: where a starter is given, all."""
        given = _lines_from_to(source, BEGIN_STARTER, END_STARTER)
        every = frozenset(range(1, source.count("\n") + 2))
        return every - given if given else self.solution_lines(source)

    def _cells_of(self, name: str, part: str) -> list[NotebookNode]:
        try:
            return list(read_notebook(self.root / name).cells) if name else []
        except NotebookError as error:
            raise GraderError(f"nbgrader_config.py: c.IncludeHeaderFooter.{part} = {name!r}: {error}") from error


def _lines_from_to(source: str, begin: str, end: str) -> frozenset[int]:
    """The numbers, from 1, of the lines from each begin mark to the next end mark, both included."""
    found, inside = set(), False
    for number, line in enumerate(source.split("\n"), start=1):
        inside = inside or begin in line
        found |= {number} if inside else set()
        inside = inside and end not in line
    return frozenset(found)


DEFAULT_STEPS = Steps()


def gradebook_version(source: NotebookNode, steps: Steps = DEFAULT_STEPS) -> NotebookNode:
    """The source as the gradebook keeps it: without solutions and hidden tests, with the marking scheme.

    Raises:
        GraderError: nbgrader refuses the source notebook.
    """
    version: NotebookNode = nbformat.from_dict(json.loads(_gradebook_version(json.dumps(source), steps)))
    return version


@functools.lru_cache(maxsize=16)
def _gradebook_version(source: str, steps: Steps) -> str:
    """The same as JSON: each submission needs it twice, and nbgrader's steps take longer than all its cells may."""
    return json.dumps(_preprocessed(nbformat.from_dict(json.loads(source)), map(steps.step, GRADEBOOK_STEPS)))


def student_version(source: NotebookNode, steps: Steps = DEFAULT_STEPS) -> NotebookNode:
    """The notebook that students get: what ``nbgrader generate_assignment`` makes.

    Raises:
        GraderError: nbgrader refuses the source notebook.
    """
    return _preprocessed(gradebook_version(source, steps), map(steps.step, STUDENT_STEPS))


def _preprocessed(source: NotebookNode, steps: Iterable[Any]) -> NotebookNode:
    notebook = copy.deepcopy(source)
    try:
        for step in steps:
            notebook, _ = step(notebook, {})  # called, not `preprocess`: a step can be switched off
    except Exception as error:  # nbgrader raises RuntimeError, ValueError, KeyError, ValidationError ...
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise GraderError(f"source notebook: nbgrader cannot make a student version: {reason}") from error
    return notebook
