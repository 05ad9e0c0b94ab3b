"""The record of all checks of one submission."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Status(Enum):
    """How a check ended."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"  # a task it needs failed; its weight is lost
    BROKEN = "BROKEN"  # the reference solution fails here too: for staff, costs nobody points


@dataclass(frozen=True)
class Selection:
    """Which checks of a grader to run.

    Attributes:
        tasks: those whose checks run, None for all; what these need of other tasks counts as passed.
        long: whether also those run that ask for a budget of their own.
        until_failure: whether the checks after the first one that fails are skipped.
        checks: functions of the checks that run, None for all; what these need of others counts as passed.
        is_calibrating: whether calibrated values are measured once and not judged.
    """

    tasks: frozenset[str] | None = None
    long: bool = True
    until_failure: bool = False
    checks: frozenset[str] | None = None
    is_calibrating: bool = False


ALL_CHECKS = Selection()


@dataclass(frozen=True)
class CheckRecord:
    """How one check ended.

    Attributes:
        task: grade_id of the grade cell that the check belongs to.
        name: pytest's name of the check, with its parameters.
        sentence: the check's docstring: the requirement that students read.
        hidden: whether the check stays on the grading machine.
        weight: share of the task's points, relative to the task's other checks.
        seconds: wall time of the check.
        hint: what to try, for students; None where the check passed.
        rationale: what went wrong, for staff only.
        seed: what `rng` was seeded with, for staff only.
        metrics: numbers that the check recorded, by name.
        advice: what staff should look at, though it costs no points.
        points: what a test in the notebook gave; None where the weights decide.
        awarded: why everybody gets the check's weight; None for all but a few checks.
        seeds_used: how often a calibrated value was measured; 0 where the check has none.
    """

    task: str
    name: str
    sentence: str
    hidden: bool
    weight: float
    status: Status
    seconds: float = 0.0
    hint: str | None = None
    rationale: str | None = None
    seed: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    advice: tuple[str, ...] = ()
    points: float | None = None
    awarded: str | None = None
    seeds_used: int = 0

    @property
    def counts(self) -> bool:
        """Whether its weight is earned."""
        return self.status is Status.PASSED or self.awarded is not None

    def finite_metrics(self) -> dict[str, float | None]:
        """The metrics for JSON, which has no NaN: a reader other than Python's would refuse the document."""
        return {name: value if math.isfinite(value) else None for name, value in self.metrics.items()}


@dataclass(frozen=True)
class TaskRecord:
    """The points of one task.

    Attributes:
        name: grade_id of its grade cell, after the notebook and a slash where another notebook has the same.
        notebook: name of the notebook that holds the grade cell, without ``.ipynb``.
        points: None where staff decides: a task graded by hand, or one with a `BROKEN` check.
        manual: whether the task is graded by hand.
    """

    name: str
    notebook: str
    max_points: float
    points: float | None
    manual: bool = False

    @property
    def grade_id(self) -> str:
        """What nbgrader calls its cell; a grade_id holds no slash."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True)
class Provenance:
    """What is needed to repeat a grade.

    Attributes:
        graders_sha256: content hash of ``graders/<assignment>/`` and the source notebooks.
        versions: name to version of what decides a result (tensorgrade, torch, python ...).
        sandbox: the level that confined the student's code.
    """

    graders_sha256: str
    versions: dict[str, str]
    sandbox: str


@dataclass(frozen=True)
class Report:
    """The record of all checks of one submission.

    Attributes:
        status: ``graded``, ``unreadable`` or ``missing``.
        error: one sentence where the status is not ``graded``.
        seconds: wall time of running the notebook and its checks.
        cached: whether the report was kept from an earlier run, because nothing had changed.
        key: hash of everything that decides the report.
        kept: results that a later grading of this submission need not compute again, by hash.
        fakeable: whether the verdicts come from inside the student's process, as those of tests in
            the notebook do: code of the student's can fake them.
        notebooks: name to the executed notebook (nbformat 4 as a plain dict): locked cells are
            the instructor's, outputs are captured and sanitised; grade cells have no output yet.
    """

    assignment: str
    student: str
    status: str
    error: str | None = None
    seconds: float = 0.0
    cached: bool = False
    tasks: tuple[TaskRecord, ...] = ()
    checks: tuple[CheckRecord, ...] = ()
    notebooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    provenance: Provenance | None = None
    key: str = ""
    kept: dict[str, bytes] = field(default_factory=dict, repr=False)
    fakeable: bool = False

    @property
    def points(self) -> float:
        """Points over the autograded tasks that have a verdict."""
        return sum(task.points for task in self.tasks if task.points is not None and not task.manual)

    @property
    def max_points(self) -> float:
        """Max points over the same tasks."""
        return sum(task.max_points for task in self.tasks if task.points is not None and not task.manual)

    def checks_of(self, task: str) -> tuple[CheckRecord, ...]:
        """The records of one task, in the order of the grader."""
        return tuple(check for check in self.checks if check.task == task)

    def as_json(self) -> dict[str, Any]:
        """What `grade --json` writes about this submission: nothing that only staff may read."""
        result: dict[str, Any] = {
            "student": self.student,
            "status": self.status,
            "points": self.points,
            "max_points": self.max_points,
            "seconds": round(self.seconds, 3),
            "cached": self.cached,
            "tasks": {task.name: _task_json(task) for task in self.tasks},
            "checks": [_check_json(check) for check in self.checks],
        }
        if self.error is not None:
            result["error"] = self.error
        if self.fakeable:
            result["fakeable"] = True
        if self.provenance is not None:
            result["sandbox"] = self.provenance.sandbox
        return result


def _task_json(task: TaskRecord) -> dict[str, Any]:
    result: dict[str, Any] = {"points": task.points, "max_points": task.max_points}
    return {**result, "manual": True} if task.manual else result


def _check_json(check: CheckRecord) -> dict[str, Any]:
    result = {
        "task": check.task,
        "name": check.name,
        "status": check.status.value,
        "weight": check.weight,
        "seconds": round(check.seconds, 3),
        "hint": check.hint,
        "metrics": check.finite_metrics(),
    }
    result |= {"seeds_used": check.seeds_used} if check.seeds_used else {}
    return result if check.awarded is None else {**result, "awarded": check.awarded}
