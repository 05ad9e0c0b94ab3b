"""Tries versions of an assignment on its grader, several at a time, and remembers what came of them."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat

from tensorgrade.course import Assignment
from tensorgrade.errors import GraderError
from tensorgrade.fleet import ProcessLost
from tensorgrade.fleet.bundle import Bundle, pack_assignment
from tensorgrade.fleet.job import Job, run_trial
from tensorgrade.grading.records import ALL_CHECKS, CheckRecord, Selection
from tensorgrade.notebooks import CellEdits, read_notebooks, with_edits_anywhere

SOLUTION = CellEdits("", {})  # changes nothing
KEY_FILE = ".tensorgrade/secret"


@dataclass(frozen=True)
class Trial:
    """A version of the assignment and the checks to try it on.

    Attributes:
        name: for people.
        seed: of the secret that inputs are drawn with; 0 is the course's own.
        files: by relative path, the version as a submission.
        selection: which checks run.
    """

    name: str
    seed: int
    files: Mapping[str, bytes] = field(repr=False)
    selection: Selection = ALL_CHECKS


class Trials:
    """Tries versions of one assignment on an executor."""

    def __init__(self, assignment: Assignment, executor: Executor) -> None:
        self._assignment = assignment
        self._executor = executor
        self._solution = read_notebooks(assignment.source)
        self._bundles: dict[int, Bundle] = {}

    def files(self, edits: CellEdits) -> dict[str, bytes]:
        """The solution as a submission, some cells replaced.

        Raises:
            UsageError: no cell has such a grade_id.
        """
        edited = with_edits_anywhere(self._solution, edits)
        return {f"{name}.ipynb": nbformat.writes(notebook).encode() for name, notebook in edited.items()}

    def bundle(self, seed: int) -> Bundle:
        """The assignment with the course's own secret for 0, or with one made from it."""
        if seed not in self._bundles:
            self._bundles[seed] = _bundle(self._assignment, seed)
        return self._bundles[seed]

    def results(self, trials: Sequence[Trial]) -> Iterator[tuple[int, tuple[CheckRecord, ...]]]:
        """The place of each trial and the records of its checks, as they are ready.

        A trial whose process was lost is tried twice.

        Raises:
            GraderError: a process was lost in the same trial again.
        """
        waiting = {self._submit(trial): place for place, trial in enumerate(trials)}
        lost: set[int] = set()
        while waiting:
            done = next(as_completed(waiting))
            place = waiting.pop(done)
            try:
                records = done.result()
            except ProcessLost as error:
                if place in lost:
                    one = trials[place]
                    raise GraderError(f"{one.name or 'solution'}, seed {one.seed}: {error}, twice") from error
                lost.add(place)
                waiting[self._submit(trials[place])] = place
            else:
                yield place, records

    def _submit(self, trial: Trial) -> Future[tuple[CheckRecord, ...]]:
        bundle = self.bundle(trial.seed)
        return self._executor.submit(
            run_trial, Job(bundle.sha256, bundle, trial.name, trial.files, {}), trial.selection
        )


class Ledger:
    """What is done so far, one line each, so that an interrupted command goes on where it was."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = dict(self._read())

    def __contains__(self, key: str) -> bool:
        """Whether there is a result."""
        return key in self._known

    def __getitem__(self, key: str) -> Any:
        """The result, as JSON has it."""
        return self._known[key]

    def add(self, key: str, result: Any) -> None:
        """Put a result on record."""
        self._known[key] = result
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps([key, result]) + "\n")

    def close(self) -> None:
        """Forget everything: all is done."""
        self._known.clear()
        self._file.unlink(missing_ok=True)

    def _read(self) -> Iterator[tuple[str, Any]]:
        if not self._file.exists():
            return
        for line in self._file.read_text(encoding="utf-8").splitlines():
            try:
                key, result = json.loads(line)
                yield str(key), result
            except (ValueError, TypeError):
                continue  # the last line of a machine that was switched off; the trial is done again


def _bundle(assignment: Assignment, seed: int) -> Bundle:
    bundle = pack_assignment(assignment, ())
    if seed == 0:
        return bundle
    secret = hmac.digest(assignment.course.secret(), f"prove {seed}".encode(), hashlib.sha256)
    return replace(bundle, files={**bundle.files, KEY_FILE: secret.hex().encode()})
