"""The code of one submission in a worker, and in the next one when that is lost."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import numpy as np
import torch

from tensorgrade.errors import StudentError, StudentFrame, WireError, WorkerLost
from tensorgrade.limits import Limits
from tensorgrade.sandbox.process import WALL_FACTOR, Worker
from tensorgrade.sandbox.template import Template
from tensorgrade.student.asking import Asking
from tensorgrade.student.deadline import deadline
from tensorgrade.student.kept import Keeper
from tensorgrade.wire import encode

MAX_LOST_CELLS = 3
MAX_FRAMES = 20
MAX_NAME, MAX_TEXT, MAX_LINE = 100, 2000, 200  # characters kept of what an error says
CELL_SEED = 0
MAX_OUTPUT_DEPTH = 8
ITEM_BYTES = 64  # what an item of a container takes here, about


class Session(Asking):
    """The code of one submission, kept running: when a worker is lost, a fresh one takes over.

    Args:
        template: forks the workers.
        cells: the sources of the code cells, in order; the first is `In [1]`.
        files: what lies beside the notebook, by relative path.
        limits: what each worker may use.
        instructor: by name, the sources of the instructor's modules that a check may load.
        kept: results that earlier gradings of this submission kept.

    Attributes:
        outputs: by position in `cells`, the nbformat outputs of the cells that ran.
        lost: by position in `cells`, why a cell took its worker with it; it is not run again.
    """

    def __init__(
        self,
        template: Template,
        cells: Sequence[str],
        files: Mapping[str, bytes],
        limits: Limits,
        *,
        instructor: Mapping[str, str] | None = None,
        kept: Mapping[str, bytes] | None = None,
    ) -> None:
        super().__init__(Keeper(kept or {}, self._identity), instructor or {})
        self._template = template
        self._cells = tuple(cells)
        self._files = dict(files)
        self._limits = limits
        self._worker: Worker | None = None
        self._outline: dict[str, dict[str, Any]] | None = None
        self._cell_seconds = 0.0  # of all runs, also those after a loss
        self._output_bytes_left = 2 * limits.message_bytes  # of all cells together; they stay in this process
        self.outputs: dict[int, list[Any]] = {}
        self.lost: dict[int, WorkerLost] = {}

    def __enter__(self) -> Session:
        self._ready_worker()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker, if there is one."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def begin_check(self, seed: int, cpu_seconds: float | None = None) -> None:
        """Give the next check its budget and its randomness, in a fresh worker if the last was lost."""
        worker = self._ready_worker()
        self._functions.clear()
        worker.allow(self._limits.check_cpu_seconds if cpu_seconds is None else cpu_seconds)
        self.ask(("seed", seed))

    def read_outline(self) -> dict[str, dict[str, Any]]:
        """What the cells define, read by a worker in which no code of the student's has run."""
        if self._outline is None:
            with _ending(self._template.fork(self._limits)) as worker:
                worker.request(("begin",))
                self._outline = self._value(worker.request(("outline", list(self._cells))))
        return self._outline

    def _exchange(self, message: tuple[Any, ...]) -> Any:
        if self._worker is None:
            raise WorkerLost("EXITED", "the student's process was lost earlier in this check")
        worker = self._worker
        try:
            reply = worker.request(message, self._as_reference)
            # What its calls cost us counts as well: it chooses how many there are, and of what size.
            ends = time.monotonic() + WALL_FACTOR * worker.cpu_seconds
            while time.monotonic() < ends:
                match reply:
                    case ("callback", int(number), tuple(args), dict(kwargs)):
                        with deadline(ends - time.monotonic()):
                            answer = self._call_back(number, args, kwargs)
                        reply = self._answer(worker, answer)
                    case _:
                        return self._value(reply)
            raise WorkerLost("TIMED_OUT", "stopped: its calls of the check's function took too long together")
        except (StudentError, WireError):
            raise
        except BaseException:
            self._worker = None
            worker.close()
            raise

    def _answer(self, worker: Worker, answer: tuple[Any, ...]) -> tuple[Any, ...]:
        """Answer a callback; its arguments can make a function return what cannot be sent."""
        try:
            return worker.request(answer, self._as_reference)
        except WireError:
            return worker.request(("raised",))

    def _value(self, reply: tuple[Any, ...]) -> Any:
        match reply:
            case ("value", value):
                return value
            case ("error", str(type_name), str(text), tuple(frames)):
                raise StudentError(type_name[:MAX_NAME], text[:MAX_TEXT], self._own_lines(frames))
        raise WorkerLost("BAD_REPLY", "the reply is not one of the protocol's")

    def _ready_worker(self) -> Worker:
        while self._worker is None:
            self._worker = self._start_worker()
        return self._worker

    def _start_worker(self) -> Worker | None:
        """A fresh worker in which the cells have run; None if one of them took it down."""
        worker = self._template.fork(self._limits)
        try:
            for name, content in self._files.items():
                worker.request(("file", name, content))
            worker.request(("begin",))
            worker.request(("seed", CELL_SEED))
            finished = all(self._run_cell(worker, position) for position in range(len(self._cells)))
        except BaseException:
            worker.close()
            raise
        if finished:
            return worker
        worker.close()
        return None

    def _run_cell(self, worker: Worker, position: int) -> bool:
        """Run one cell, unless it is known to take its worker down; returns whether the worker is still there."""
        has_run = position in self.outputs
        if position in self.lost or (len(self.lost) >= MAX_LOST_CELLS and not has_run):
            return True
        if self._cell_seconds > self._limits.notebook_seconds:
            if not has_run:
                text = "not run: the cells before it took all the time there is"
                self.lost[position] = WorkerLost("TIMED_OUT", text)
            return True
        started = time.monotonic()
        try:
            worker.allow(self._limits.cell_cpu_seconds)
            outputs = _outputs(worker.request(("run", position + 1, self._cells[position])))
            if not has_run:
                self.outputs[position] = self._room_for(outputs)
        except WorkerLost as loss:
            self.lost[position] = loss
            return False
        finally:
            self._cell_seconds += time.monotonic() - started
        return True

    def _room_for(self, outputs: list[Any]) -> list[Any]:
        """The outputs, if they fit: an honest worker cuts those of each cell, a forged one need not."""
        size = _size(outputs)
        if size > self._output_bytes_left:
            raise WorkerLost("BAD_REPLY", "the cells show more together than can be kept")
        self._output_bytes_left -= size
        return outputs

    def _identity(self) -> str:
        """A hash of all but the check itself that decides what a call returns."""
        versions = (platform.python_version(), torch.__version__, np.__version__)
        known = (
            list(self._cells),
            self._files,
            self._instructor,
            repr(self._limits),
            versions,
            self._template.level.name,
        )
        return hashlib.sha256(encode(known)).hexdigest()

    def _own_lines(self, frames: tuple[Any, ...]) -> tuple[StudentFrame, ...]:
        """The frames that point into our copy of the cells; the others are dropped."""
        found = []
        for frame in frames[-MAX_FRAMES:]:
            match frame:
                case (cell, line) if type(cell) is int and type(line) is int and 1 <= cell <= len(self._cells):
                    lines = self._cells[cell - 1].split("\n")
                    # IPython drops the empty lines that a cell begins with, and counts from the next one.
                    line += next((number for number, text in enumerate(lines) if text.strip()), 0)
                    if 1 <= line <= len(lines):
                        found.append(StudentFrame(cell, line, lines[line - 1].strip()[:MAX_LINE]))
        return tuple(found)


@contextmanager
def _ending(worker: Worker) -> Iterator[Worker]:
    try:
        yield worker
    finally:
        worker.close()


def _is_json(value: Any, depth: int) -> bool:
    """Whether a value is made of what JSON has, so that no tensor or handle is taken for an output."""
    if isinstance(value, dict):
        return depth > 0 and all(isinstance(key, str) and _is_json(item, depth - 1) for key, item in value.items())
    if isinstance(value, list):
        return depth > 0 and all(_is_json(item, depth - 1) for item in value)
    return value is None or isinstance(value, str | int | float | bool)


def _size(value: Any) -> int:
    """About the bytes that a value of JSON takes in this process."""
    if isinstance(value, dict):
        return sum(_size(key) + _size(item) for key, item in value.items())
    if isinstance(value, list):
        return ITEM_BYTES + sum(map(_size, value))
    return ITEM_BYTES + (len(value) if isinstance(value, str) else 0)


def _outputs(reply: tuple[Any, ...]) -> list[Any]:
    match reply:
        case ("ran", bool(), list(outputs)) if _is_json(outputs, MAX_OUTPUT_DEPTH):
            return outputs
    raise WorkerLost("BAD_REPLY", "the reply is not one of the protocol's")
