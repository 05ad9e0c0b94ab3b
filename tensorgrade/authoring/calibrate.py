"""Measures what a check decides by, for right and wrong submissions and many seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from pathlib import Path

import nbformat

from tensorgrade.authoring.calibration import Calibration, Group
from tensorgrade.authoring.measured import Measured, find_measured, versions
from tensorgrade.authoring.prove import SOLUTION, bundle_with_seed
from tensorgrade.course import Assignment
from tensorgrade.errors import GraderError, UsageError
from tensorgrade.fleet import ProcessLost
from tensorgrade.fleet.bundle import Bundle
from tensorgrade.fleet.job import Job, run_trial
from tensorgrade.grading.records import CheckRecord, Selection
from tensorgrade.notebooks import CellEdits, read_notebooks, with_edits_anywhere

REFERENCE = "reference solution"
SEEDS = 20
# A variant that computes the same as the solution would give the same value again, which says nothing new.
OTHER_SEEDS = 1000
ALPHA, BETA = 0.001, 0.01

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Plan:
    """How to calibrate.

    Attributes:
        seeds: runs of the solution, of each mutant, and of all variants together.
        alpha: largest chance to fail a correct solution.
        beta: largest chance to pass a wrong one.
    """

    seeds: int = SEEDS
    alpha: float = ALPHA
    beta: float = BETA


@dataclass(frozen=True)
class _Trial:
    """One version of the assignment, to be measured with one seed."""

    measured: Measured
    group: str
    edits: CellEdits
    seed: int
    is_right: bool

    @property
    def key(self) -> str:
        """What its values depend on."""
        return f"{self.measured.check} {self.measured.fingerprint_of(self.edits)} {versions()} {self.seed}"


def calibrate_assignment(
    assignment: Assignment,
    executor: Executor,
    plan: Plan,
    *,
    tell: Tell = lambda done, total, name: None,
) -> tuple[Calibration, ...]:
    """Measure every value that decides a check of an assignment; nothing is stored yet.

    For each check that measures run the reference solution and the mutants that name the check, each with all
    seeds; the variants that answer its task share as many seeds among them. Each seed is a course secret of its own.
    Runs are recorded one by one, so that an interrupted calibration goes on where it was.

    Args:
        assignment: with tensorgrade's checks.
        executor: runs `run_trial`, several at a time.
        plan: how many runs, and which chances of error are allowed.
        tell: called with the number of runs that are done, their total, and the name of the last one.

    Raises:
        UsageError: no check of the assignment measures anything.
        GraderError: a check cannot be run, or a correct solution gives no value.
    """
    measured = find_measured(assignment)
    if not measured:
        raise UsageError(
            f"graders/{assignment.name}: no check uses the fixture `calibrated`, so there is no threshold to find"
        )
    trials = sorted(
        (trial for one in measured for trial in _trials(one, plan.seeds)), key=lambda trial: trial.seed % OTHER_SEEDS
    )
    found = _Ledger(assignment).completed(trials, _Runner(assignment, executor), tell)
    return tuple(_calibration(one, name, plan, trials, found) for one in measured for name in one.names)


def _trials(measured: Measured, seeds: int) -> Iterator[_Trial]:
    for seed in range(1, seeds + 1):
        yield _Trial(measured, REFERENCE, SOLUTION, seed, is_right=True)
        if measured.variants:
            edits = measured.variants[seed % len(measured.variants)]
            yield _Trial(measured, edits.file.stem, edits, OTHER_SEEDS + seed, is_right=True)
        for edits in measured.mutants:
            yield _Trial(measured, edits.file.stem, edits, seed, is_right=False)


class _Runner:
    """Runs trials on an executor."""

    def __init__(self, assignment: Assignment, executor: Executor) -> None:
        self._assignment = assignment
        self._executor = executor
        self._solution = read_notebooks(assignment.source)
        self._bundles: dict[int, Bundle] = {}

    def results(self, trials: Iterable[_Trial]) -> Iterator[tuple[_Trial, CheckRecord]]:
        """The record of each trial's check, as it is ready; one whose process was lost is tried twice."""
        waiting = {self._submit(trial): trial for trial in trials}
        lost: set[str] = set()
        while waiting:
            done = next(as_completed(waiting))
            trial = waiting.pop(done)
            try:
                [record] = done.result()
            except ProcessLost as error:
                if trial.key in lost:
                    raise GraderError(f"{trial.group}, seed {trial.seed}: {error}, twice") from error
                lost.add(trial.key)
                waiting[self._submit(trial)] = trial
                continue
            yield trial, record

    def _submit(self, trial: _Trial) -> Future[tuple[CheckRecord, ...]]:
        edited = with_edits_anywhere(self._solution, trial.edits)
        files = {f"{name}.ipynb": nbformat.writes(notebook).encode() for name, notebook in edited.items()}
        if trial.seed not in self._bundles:
            self._bundles[trial.seed] = bundle_with_seed(self._assignment, trial.seed)
        bundle = self._bundles[trial.seed]
        selection = Selection(checks=frozenset({trial.measured.check}), is_calibrating=True)
        return self._executor.submit(run_trial, Job(bundle.sha256, bundle, trial.group, files, {}), selection)


@dataclass(frozen=True)
class _Result:
    """What one run gave: by name, the values it came to; why it ended before, if it did."""

    values: dict[str, float | None]
    reason: str | None = None


class _Ledger:
    """The runs that are done, one line each, by a hash of what they depend on."""

    def __init__(self, assignment: Assignment) -> None:
        self._file = ledger_file(assignment)
        self._known = dict(self._read())

    def completed(self, trials: list[_Trial], runner: _Runner, tell: Tell) -> dict[str, _Result]:
        """The result of each trial: those on record, and those that are run now."""
        missing = [trial for trial in trials if trial.key not in self._known]
        done = len(trials) - len(missing)
        tell(done, len(trials), "starting" if not done else "going on")
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for trial, record in runner.results(missing):
            result = _Result(record.finite_metrics(), record.rationale)
            if trial.is_right:
                _require_values(trial, result)
            self._known[trial.key] = result
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([trial.key, result.values, result.reason]) + "\n")
            done += 1
            tell(done, len(trials), f"{trial.group}, seed {trial.seed}")
        return self._known

    def _read(self) -> Iterator[tuple[str, _Result]]:
        if not self._file.exists():
            return
        for line in self._file.read_text(encoding="utf-8").splitlines():
            try:
                key, values, reason = json.loads(line)
                yield str(key), _Result(dict(values), reason)
            except (ValueError, TypeError):
                continue  # the last line of a machine that was switched off; the run is done again


def ledger_file(assignment: Assignment) -> Path:
    """Where the runs that are done so far are recorded."""
    return assignment.course.root / ".tensorgrade" / "calibration" / f"{assignment.name}.jsonl"


def _require_values(trial: _Trial, result: _Result) -> None:
    for name in trial.measured.names:
        if result.values.get(name) is None:
            why = result.reason or "its value is no finite number"
            raise GraderError(f"{trial.group}, seed {trial.seed}: {trial.measured.check} measured no {name!r}: {why}")


def _calibration(
    measured: Measured, name: str, plan: Plan, trials: list[_Trial], found: dict[str, _Result]
) -> Calibration:
    """What the runs say of one value, the groups in the order of the trials."""
    own = [trial for trial in trials if trial.measured is measured]
    groups = {(not trial.is_right, trial.group): list[float | None]() for trial in own}
    for trial in own:
        groups[not trial.is_right, trial.group].append(found[trial.key].values.get(name))
    ordered = sorted(groups.items(), key=lambda item: item[0][0])  # right ones first, the solution before variants
    return Calibration(
        name,
        measured.check,
        plan.alpha,
        plan.beta,
        tuple(_group(group, values, is_right=not is_wrong) for (is_wrong, group), values in ordered),
        measured.fingerprint,
        versions(),
    )


def _group(name: str, values: list[float | None], *, is_right: bool) -> Group:
    finite = tuple(float(f"{value:.6g}") for value in values if value is not None and math.isfinite(value))
    return Group(name, finite, is_right, len(values) - len(finite))
