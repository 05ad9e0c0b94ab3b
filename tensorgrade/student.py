"""The `student` fixture: a proxy over the wire, or the notebook's own namespace."""

from __future__ import annotations

import functools
import linecache
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

from tensorgrade.errors import NotDefinedError, StudentError, StudentFrame, WorkerLost
from tensorgrade.limits import Limits
from tensorgrade.sandbox.process import Worker
from tensorgrade.sandbox.template import Template
from tensorgrade.wire import Handle

MAX_LOST_CELLS = 3
MAX_FRAMES = 20
MAX_NAME, MAX_TEXT, MAX_LINE = 100, 2000, 200  # characters kept of what an error says
CELL_SEED = 0
MAX_OUTPUT_DEPTH = 8


class Session:
    """The code of one submission, kept running: when a worker is lost, a fresh one takes over.

    Args:
        template: forks the workers.
        cells: the sources of the code cells, in order; the first is `In [1]`.
        files: what lies beside the notebook, by relative path.
        limits: what each worker may use.

    Attributes:
        outputs: by position in `cells`, the nbformat outputs of the cells that ran.
        lost: by position in `cells`, why a cell took its worker with it; it is not run again.
    """

    def __init__(self, template: Template, cells: Sequence[str], files: Mapping[str, bytes], limits: Limits) -> None:
        self._template = template
        self._cells = tuple(cells)
        self._files = dict(files)
        self._limits = limits
        self._worker: Worker | None = None
        self._cell_seconds = 0.0  # of all runs, also those after a loss
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

    def begin_check(self, seed: int) -> None:
        """Give the next check its budget and its randomness, in a fresh worker if the last was lost."""
        worker = self._ready_worker()
        worker.allow(self._limits.check_cpu_seconds)
        self.ask(("seed", seed))

    def ask(self, message: tuple[Any, ...]) -> Any:
        """Ask the student's side for a value.

        Raises:
            StudentError: the student's code raised.
            WorkerLost: the worker died or was stopped, now or earlier in this check.
        """
        if self._worker is None:
            raise WorkerLost("EXITED", "the student's process was lost earlier in this check")
        worker = self._worker
        try:
            reply = worker.request(message, _as_handle)
        except BaseException:
            self._worker = None
            worker.close()
            raise
        match reply:
            case ("value", value):
                return self._as_objects(value)
            case ("error", str(type_name), str(text), tuple(frames)):
                raise StudentError(type_name[:MAX_NAME], text[:MAX_TEXT], self._own_lines(frames))
        self.close()
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
        except WorkerLost as loss:
            self.lost[position] = loss
            return False
        finally:
            self._cell_seconds += time.monotonic() - started
        self.outputs.setdefault(position, outputs)
        return True

    def _as_objects(self, value: Any) -> Any:
        if isinstance(value, Handle):
            return StudentObject(self, value)
        if isinstance(value, list | tuple):
            return type(value)(self._as_objects(item) for item in value)
        if isinstance(value, dict):
            return {self._as_objects(key): self._as_objects(item) for key, item in value.items()}
        return value

    def _own_lines(self, frames: tuple[Any, ...]) -> tuple[StudentFrame, ...]:
        """The frames that point into our copy of the cells; the others are dropped."""
        found = []
        for frame in frames[-MAX_FRAMES:]:
            match frame:
                case (cell, line) if type(cell) is int and type(line) is int and 1 <= cell <= len(self._cells):
                    lines = self._cells[cell - 1].split("\n")
                    if 1 <= line <= len(lines):
                        found.append(StudentFrame(cell, line, lines[line - 1].strip()[:MAX_LINE]))
        return tuple(found)


class NotebookSession:
    """The notebook's own namespace, asked in the words of a `Session`: for public checks."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace

    def begin_check(self, seed: int) -> None:
        """Nothing to prepare: this process is the student's, and the checks have seeded it."""

    def ask(self, message: tuple[Any, ...]) -> Any:
        """The value of a name, asked for by ``("get", name)``.

        Raises:
            StudentError: the notebook does not define it.
        """
        _, name = message
        if name not in self._namespace:
            raise StudentError("NameError", name)
        value = self._namespace[name]
        return self._reporting(value) if isinstance(value, types.FunctionType) else value

    def _reporting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, but what it raises is a `StudentError`, as it is behind the wall."""

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                frames = tuple(self._own_lines(error.__traceback__))
                raise StudentError(type(error).__name__, str(error), frames) from error

        return call

    def _own_lines(self, trace: types.TracebackType | None) -> Iterator[StudentFrame]:
        """The lines of the notebook in a traceback; a cell has no number here."""
        while trace is not None:
            if trace.tb_frame.f_globals is self._namespace:
                text = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
                yield StudentFrame(0, trace.tb_lineno, text.strip())
            trace = trace.tb_next


class Answers(Protocol):
    """What a check needs of either session."""

    def begin_check(self, seed: int) -> None:
        """Get ready for the next check."""

    def ask(self, message: tuple[Any, ...]) -> Any:
        """Ask the student's side for a value."""


class Student:
    """The names that a submission defines, as attributes: ``student.attend(q, k, v)``."""

    def __init__(self, session: Answers) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        """The value of a name, or a `StudentObject` for it.

        Raises:
            NotDefinedError: the submission does not define it.
        """
        if name.startswith("__"):
            raise AttributeError(name)  # Python and pytest look for protocols of ours, not the student's
        try:
            return self._session.ask(("get", name))
        except StudentError as error:
            raise NotDefinedError(name) from error


class StudentObject:
    """A function, class or instance that stays on the student's side.

    Calling it and reading its attributes are requests over the wire.
    """

    def __init__(self, session: Session, handle: Handle) -> None:
        self._session = session
        self._handle = handle

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it; tensors are sent as bytes, and results come back as plain tensors and values."""
        return self._session.ask(("call", self._handle, args, kwargs))

    def __getattr__(self, name: str) -> Any:
        """Read an attribute.

        Raises:
            StudentError: the object has no such attribute, or reading it raised.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        return self._session.ask(("attribute", self._handle, name))

    def __bool__(self) -> bool:
        """Refuse: an object that is no plain value must not count as true."""
        raise TypeError("expected a plain value, got an object that stays on the student's side")

    def __repr__(self) -> str:
        return "<an object of the student's>"  # its class could be named after a hidden input


def _as_handle(value: Any) -> Handle:
    if isinstance(value, StudentObject):
        return value._handle
    raise TypeError(f"cannot send an object of type {type(value).__name__} to the student's code")


def _is_json(value: Any, depth: int) -> bool:
    """Whether a value is made of what JSON has, so that no tensor or handle is taken for an output."""
    if isinstance(value, dict):
        return depth > 0 and all(isinstance(key, str) and _is_json(item, depth - 1) for key, item in value.items())
    if isinstance(value, list):
        return depth > 0 and all(_is_json(item, depth - 1) for item in value)
    return value is None or isinstance(value, str | int | float | bool)


def _outputs(reply: tuple[Any, ...]) -> list[Any]:
    match reply:
        case ("ran", bool(), list(outputs)) if _is_json(outputs, MAX_OUTPUT_DEPTH):
            return outputs
    raise WorkerLost("BAD_REPLY", "the reply is not one of the protocol's")
