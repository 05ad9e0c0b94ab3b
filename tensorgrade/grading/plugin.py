"""The pytest plugin that runs a grader, in the order of a run: plan, fixtures, verdicts."""

from __future__ import annotations

import hashlib
import hmac
import math
import random
import warnings
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tensorgrade.errors import NeedsOther, PlatformError, StaffAdvice, WorkerLost
from tensorgrade.grading.hints import hint_for, rationale_for
from tensorgrade.grading.records import ALL_CHECKS, CheckRecord, Selection, Status
from tensorgrade.student import Asking, Student

MAX_DEATHS_PER_TASK = 2
MAX_BUDGET_SECONDS = 3600
SEED_BYTES = 7  # fits the signed 64 bits of every seed function


class GraderPlugin:
    """Runs the checks of one grader on one submission; one record each.

    Args:
        sessions: by task, in the notebooks' order, the code of the notebook that holds its grade cell.
        secret: the course secret that the seeds are derived from.
        assignment: its name, part of every seed.
        in_notebook: the checks run in the student's own notebook: those of other tasks are left out,
            and hints may say everything.
        selection: which checks to run.

    Attributes:
        planned: by name, what a check says of itself; every planned check gets a record.
        records: by name, how the check ended.
        problems: what is wrong with the grader itself, one sentence each.
        failure: the platform's own failure, if it had one; nothing was recorded then.
    """

    def __init__(
        self,
        sessions: Mapping[str, Asking],
        secret: bytes,
        assignment: str,
        *,
        in_notebook: bool = False,
        selection: Selection = ALL_CHECKS,
    ) -> None:
        self.sessions = sessions
        self.in_notebook = in_notebook
        self.selection = selection
        self.secret = secret
        self.assignment = assignment
        self.tasks = tuple(sessions)
        self.planned: dict[str, CheckRecord] = {}
        self.needs: dict[str, tuple[str, ...]] = {}
        self.budgets: dict[str, float | None] = {}
        self.records: dict[str, CheckRecord] = {}
        self.problems: list[str] = []
        self.failure: PlatformError | None = None
        self.deaths: Counter[str] = Counter()
        self.metrics: dict[str, float] = {}
        self.advice: tuple[str, ...] = ()

    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the marks of a grader known."""
        config.option.tbstyle = "native"  # nobody reads pytest's own traceback, which parses every file on its way
        config.addinivalue_line("markers", "task(name, weight=1): the grade cell this check belongs to")
        config.addinivalue_line("markers", "needs(*names): tasks or checks that this check builds on")
        config.addinivalue_line("markers", "budget(cpu_seconds): more time than limits.check_cpu_seconds")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A grader file that cannot be imported is a problem of the grader."""
        if report.failed:
            lines = str(report.longrepr).strip().splitlines()
            self.problems.append(f"{report.nodeid}: cannot be loaded: {lines[-1].removeprefix('E').strip()}")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Plan every check, in the order of the notebook's tasks."""
        if self.in_notebook:
            items[:] = [item for item in items if _task_of(item) in self.tasks]
        for item in items:
            self._plan(item)
        covered = {record.task for record in self.planned.values()}
        for task in self.tasks:
            if task not in covered and not self.problems:
                self.problems.append(
                    f'test_hidden.py: no check belongs to grade cell "{task}". Add one or remove the cell.'
                )
        if self.problems:
            items.clear()
        items[:] = [item for item in items if self._is_selected(item.name)]
        self.planned = {item.name: self.planned[item.name] for item in items}
        items.sort(key=lambda item: self.tasks.index(self.planned[item.name].task))

    def _is_selected(self, name: str) -> bool:
        tasks = self.selection.tasks
        return (tasks is None or self.planned[name].task in tasks) and (
            self.selection.long or self.budgets[name] is None
        )

    def _plan(self, item: pytest.Item) -> None:
        problem = self._problem_of(item)
        if problem is not None:
            self.problems.append(f"{item.path.name}: {item.name}: {problem}.")
            return
        mark = item.get_closest_marker("task")
        self.planned[item.name] = CheckRecord(
            str(_task_of(item)),
            item.name,
            " ".join(_sentence_of(item).split()),
            item.path.name != "test_public.py",
            mark.kwargs.get("weight", 1) if mark is not None else 1,
            Status.FAILED,
            seed=self._seed(item.name),
        )
        self.needs[item.name] = _needs_of(item)
        self.budgets[item.name] = _budget_of(item)

    def _problem_of(self, item: pytest.Item) -> str | None:
        """What is wrong with how a check is written, if anything is."""
        mark, task, needs, budget = item.get_closest_marker("task"), _task_of(item), _needs_of(item), _budget_of(item)
        weight = mark.kwargs.get("weight", 1) if mark is not None else 1
        if task is None:
            return 'expected @pytest.mark.task("<grade cell>") on the check'
        if task not in self.tasks:
            return f'no grade cell is called "{task}". Grade cells: {", ".join(self.tasks) or "none"}'
        if not isinstance(weight, int | float) or not 0 < weight < 1e6:
            return f"expected a weight above 0, got {weight!r}"
        if budget is not None and not (isinstance(budget, int | float) and 0 < budget <= MAX_BUDGET_SECONDS):
            return f"expected a budget of at most {MAX_BUDGET_SECONDS} CPU seconds, got {budget!r}"
        if not _sentence_of(item):
            return "expected a docstring: the sentence that students read"
        if item.name in self.planned:
            return "another check has this name"
        possible = {*self.tasks[: self.tasks.index(task)], *self._checks_up_to(task)}
        if not set(needs) <= possible:
            return f"needs {needs!r}, but only a task, or a check, further up can be needed"
        return None

    def _checks_up_to(self, task: str) -> set[str]:
        """The functions that were planned so far in a task and in those further up in the notebook."""
        tasks = self.tasks[: self.tasks.index(task) + 1]
        return {_function_of(record.name) for record in self.planned.values() if record.task in tasks}

    def _seed(self, name: str, side: str = "grader") -> int:
        """A check's seed. The student's side has one of its own, from which this one cannot be found."""
        text = f"{side}\0{self.assignment}\0{name}".encode()
        return int.from_bytes(hmac.digest(self.secret, text, hashlib.sha256)[:SEED_BYTES], "big")

    @pytest.fixture
    def student(self, request: pytest.FixtureRequest) -> Student:
        """The submission's code, with the budget of one check."""
        plan = self.planned[request.node.name]
        session = self.sessions[plan.task]
        seed = self._seed(plan.name, "student")
        session.begin_check(seed, self.budgets[plan.name])
        return Student(session, seed)

    @pytest.fixture
    def rng(self, request: pytest.FixtureRequest) -> torch.Generator:
        """A generator with this check's own seed."""
        return torch.Generator().manual_seed(self.planned[request.node.name].seed)

    @pytest.fixture(name="metrics")
    def metrics_fixture(self) -> dict[str, float]:
        """Numbers worth keeping, by name; they go into the record."""
        return self.metrics

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Seed everything, and skip what cannot or need not be tried."""
        seed = self.planned[item.name].seed
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.default_generator.manual_seed(seed)  # the checks' process computes on the CPU
        self.metrics.clear()
        self.advice = ()
        task = self.planned[item.name].task
        for need in self.needs[item.name]:
            self._require_passed(need)
        if self.selection.until_failure:
            self._require_no_failure()
        if self.deaths[task] >= MAX_DEATHS_PER_TASK:
            raise WorkerLost("UNTRIED", f"not tried: the process was lost {MAX_DEATHS_PER_TASK} times in this task")

    def _require_passed(self, need: str) -> None:
        """Skip the check that runs if the task, or the check in all its variants, that it needs has not passed."""
        planned = [name for name, plan in self.planned.items() if need in (plan.task, _function_of(name))]
        records = [self.records[name] for name in planned if name in self.records]
        if planned and (not records or not all(record.status is Status.PASSED for record in records)):
            raise NeedsOther(need, None if need in self.tasks or not records else records[0].sentence)

    def _require_no_failure(self) -> None:
        """Skip the check that runs if one has failed: where one mistake is looked for, the first failure tells."""
        failed = next((record for record in self.records.values() if record.status is not Status.PASSED), None)
        if failed is not None:
            raise NeedsOther(failed.name, failed.sentence)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Keep what a check advises staff to look at."""
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", StaffAdvice)
            try:
                return (yield)
            finally:
                self.advice = tuple(dict.fromkeys(str(one.message) for one in seen))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Record how the check ended."""
        report = yield
        error = call.excinfo.value if call.excinfo is not None else None
        if isinstance(error, PlatformError):
            self.failure = error
            item.session.shouldstop = "the platform failed"
        elif error is not None or call.when == "call":
            self._record(item.name, error, call.duration)
        return report

    def _record(self, name: str, error: BaseException | None, seconds: float) -> None:
        plan = replace(self.planned[name], seconds=seconds, metrics=_numbers(self.metrics), advice=self.advice)
        if isinstance(error, WorkerLost):
            self.deaths[plan.task] += 1
        status = Status.PASSED if error is None else Status.FAILED
        if isinstance(error, NeedsOther):
            status = Status.SKIPPED
        # An error while a check is torn down comes second and must not turn into a pass.
        if name not in self.records or self.records[name].status is Status.PASSED:
            self.records[name] = replace(
                plan, status=status, hint=hint_for(error, in_notebook=self.in_notebook), rationale=rationale_for(error)
            )


def _task_of(item: pytest.Item) -> str | None:
    """The task that a check names in its mark."""
    mark = item.get_closest_marker("task")
    return mark.args[0] if mark is not None and len(mark.args) == 1 else None


def _function_of(name: str) -> str:
    """The function of a check, whose name may end in its parameters."""
    return name.partition("[")[0]


def _sentence_of(item: pytest.Item) -> str:
    """The docstring of a check."""
    return (getattr(getattr(item, "function", None), "__doc__", None) or "").strip()


def _needs_of(item: pytest.Item) -> tuple[str, ...]:
    """The tasks and checks that a check builds on."""
    return tuple(name for need in item.iter_markers("needs") for name in need.args)


def _budget_of(item: pytest.Item) -> Any:
    """The CPU seconds that a check asks for in its mark; None for those of the limits."""
    mark = item.get_closest_marker("budget")
    return mark.args[0] if mark is not None and mark.args else mark.kwargs.get("cpu_seconds") if mark else None


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): _number(value) for name, value in metrics.items()}


def _number(value: Any) -> float:
    """A metric as a number; what a student's code returned may be anything."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return math.nan
