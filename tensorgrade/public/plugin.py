"""The pytest plugin that runs public checks, and remembers what a student may know of them: everything."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tensorgrade.grading.plugin import GraderPlugin
from tensorgrade.grading.records import CheckRecord, Status
from tensorgrade.public.hints import NOT_WRITTEN, own_lines, practice_hint, practice_trace
from tensorgrade.reports import PracticeRecord
from tensorgrade.student import Asking

# Public inputs are no secret, but the same for everybody.
PUBLIC_SECRET = b"tensorgrade public checks"
PRINTED_LINES, PRINTED_CHARACTERS = 20, 2000


class PracticePlugin(GraderPlugin):
    """Runs the public checks of one task, after those of the tasks that it needs, or of all tasks.

    Args:
        session: answers for the student's code.
        folder: where the checks lie; its name is part of every seed.
        task: its name, or None for all.
        namespace: the notebook's names, if they are in this process.

    Attributes:
        known: the tasks that have checks, in the order of the file.
    """

    def __init__(self, session: Asking, folder: Path, task: str | None, namespace: dict[str, Any]) -> None:
        super().__init__({}, PUBLIC_SECRET, folder.name, in_notebook=True)
        self.known: tuple[str, ...] = ()
        self._session = session
        self._folder = folder
        self._task = task
        self._namespace = namespace
        self._errors: dict[str, BaseException] = {}
        self._printed: dict[str, str] = {}
        self._places: dict[str, str] = {}
        self._running = ("", 0.0)
        self._interruption: PracticeRecord | None = None

    def results(self) -> dict[str, tuple[PracticeRecord, ...]]:
        """By task, the records of the checks that ran."""
        records = [self._with_details(self.records[name]) for name in self.planned if name in self.records]
        records += [self._interruption] if self._interruption is not None else []
        wanted = [task for task in self.known if self._task in (None, task)]
        found = {task: tuple(record for record in records if record.task == task) for task in wanted}
        return {task: checks for task, checks in found.items() if checks}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Find the tasks in the file, and plan the checks of those that are asked for."""
        needs: dict[str, set[str]] = {}
        for item in items:
            self._places[item.name] = f"{item.path.name}, line {(item.reportinfo()[1] or 0) + 1}"
            for mark in item.iter_markers("task"):
                named = {name for need in item.iter_markers("needs") for name in need.args}
                needs.setdefault(str(mark.args[0]) if mark.args else "", set()).update(named)
        self.known = tuple(needs)
        self.tasks = _in_order_of_need([name for name in needs if self._task in (None, name)], needs)
        self.sessions = dict.fromkeys(self.tasks, self._session)
        super().pytest_collection_modifyitems(items)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Remember which check runs, for whoever interrupts it."""
        self._running = (item.name, time.monotonic())
        super().pytest_runtest_setup(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep the error itself and what was printed, where a record has only words."""
        report = yield from super().pytest_runtest_makereport(item, call)
        if call.excinfo is not None:
            self._errors.setdefault(item.name, call.excinfo.value)
        self._printed[item.name] = report.capstdout
        return report

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Remember where the student's code was; pytest calls this."""
        name, started = self._running
        if name not in self.planned or name in self.records:
            return
        trace = own_lines(excinfo.tb, self._namespace, self._folder)
        hint = f"You stopped this check after {time.monotonic() - started:.0f} s."
        hint += " Your code was here; does its loop end?" if trace else ""
        place = self._places[name]
        self._interruption = _practice(self.planned[name], status=Status.FAILED, hint=hint, trace=trace, place=place)

    def _with_details(self, record: CheckRecord) -> PracticeRecord:
        error = self._errors.get(record.name)
        trace = practice_trace(error, self._namespace, self._folder)
        hint = practice_hint(error, self._namespace, trace) if record.status is Status.FAILED else record.hint
        return _practice(
            record,
            hint=hint,
            trace=() if hint == NOT_WRITTEN else trace,
            printed=_shortened(self._printed.get(record.name, "")),
            place=self._places[record.name],
        )


def _practice(record: CheckRecord, **changes: Any) -> PracticeRecord:
    values = {field.name: getattr(record, field.name) for field in fields(CheckRecord)}
    return PracticeRecord(**{**values, **changes})


def _in_order_of_need(wanted: list[str], needs: dict[str, set[str]]) -> tuple[str, ...]:
    """The tasks that are wanted and those they need, each after what it needs."""
    ordered: list[str] = []
    waiting = list(reversed(wanted))
    seen: set[str] = set()
    while waiting:
        task = waiting[-1]
        missing = [need for need in sorted(needs[task]) if need in needs and need not in seen]
        seen.add(task)
        if missing:
            waiting += missing
        else:
            waiting.pop()
            if task not in ordered:
                ordered.append(task)
    return tuple(ordered)


def _shortened(text: str) -> str:
    """What was printed, its middle left out where there is too much of it."""
    lines = text.rstrip().splitlines()
    if len(lines) > PRINTED_LINES:
        half = PRINTED_LINES // 2
        lines = [*lines[:half], f"… {len(lines) - 2 * half:,} lines left out …", *lines[-half:]]
    shown = "\n".join(lines)
    left_out = len(shown) - PRINTED_CHARACTERS
    return f"{shown[:PRINTED_CHARACTERS]}\n… {left_out:,} characters left out …" if left_out > 0 else shown
