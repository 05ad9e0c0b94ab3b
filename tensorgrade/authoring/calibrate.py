"""Measures what a check decides by, for right and wrong submissions and many seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from tensorgrade.authoring.calibration import Calibration, Group
from tensorgrade.authoring.measured import Measured, find_measured, versions
from tensorgrade.authoring.trials import SOLUTION, Ledger, Trial, Trials
from tensorgrade.course import Assignment
from tensorgrade.errors import GraderError, UsageError
from tensorgrade.grading.records import Selection
from tensorgrade.notebooks import CellEdits

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

    def on(self, runner: Trials) -> Trial:
        """The files to try, and the check that measures."""
        selection = Selection(checks=frozenset({self.measured.check}), is_calibrating=True)
        return Trial(self.group, self.seed, runner.files(self.edits), selection)


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
    found = _completed(assignment, executor, trials, tell)
    return tuple(_calibration(one, name, plan, trials, found) for one in measured for name in one.names)


def _trials(measured: Measured, seeds: int) -> Iterator[_Trial]:
    for seed in range(1, seeds + 1):
        yield _Trial(measured, REFERENCE, SOLUTION, seed, is_right=True)
        if measured.variants:
            edits = measured.variants[seed % len(measured.variants)]
            yield _Trial(measured, edits.file.stem, edits, OTHER_SEEDS + seed, is_right=True)
        for edits in measured.mutants:
            yield _Trial(measured, edits.file.stem, edits, seed, is_right=False)


def _completed(assignment: Assignment, executor: Executor, trials: list[_Trial], tell: Tell) -> Ledger:
    """The ledger with the result of each trial: those that were on record, and those that are run now."""
    ledger, runner = Ledger(ledger_file(assignment)), Trials(assignment, executor)
    missing = [trial for trial in trials if trial.key not in ledger]
    done = len(trials) - len(missing)
    tell(done, len(trials), "starting" if not done else "going on")
    for place, [record] in runner.results([one.on(runner) for one in missing]):
        trial, values = missing[place], record.finite_metrics()
        if trial.is_right:
            _require_values(trial, values, record.rationale)
        ledger.add(trial.key, values)
        done += 1
        tell(done, len(trials), f"{trial.group}, seed {trial.seed}")
    return ledger


def ledger_file(assignment: Assignment) -> Path:
    """Where the runs that are done so far are recorded."""
    return assignment.course.root / ".tensorgrade" / "calibration" / f"{assignment.name}.jsonl"


def _require_values(trial: _Trial, values: dict[str, float | None], reason: str | None) -> None:
    for name in trial.measured.names:
        if values.get(name) is None:
            why = reason or "its value is no finite number"
            raise GraderError(f"{trial.group}, seed {trial.seed}: {trial.measured.check} measured no {name!r}: {why}")


def _calibration(measured: Measured, name: str, plan: Plan, trials: list[_Trial], found: Ledger) -> Calibration:
    """What the runs say of one value, the groups in the order of the trials."""
    own = [trial for trial in trials if trial.measured is measured]
    groups = {(not trial.is_right, trial.group): list[float | None]() for trial in own}
    for trial in own:
        groups[not trial.is_right, trial.group].append(found[trial.key].get(name))
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
