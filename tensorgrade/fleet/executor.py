"""An executor of local processes that outlives the death of any of them."""

from __future__ import annotations

import os
import queue
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, TypeVar

from tensorgrade.errors import PlatformError
from tensorgrade.fleet import nursery
from tensorgrade.fleet.bench import sweep
from tensorgrade.sandbox.levels import STRICT, Level

Result = TypeVar("Result")
SECONDS_TO_END = 5.0


class ProcessLost(PlatformError):
    """The process that ran a call is gone."""


class LocalProcesses(Executor):
    """Runs calls on up to a number of processes of this machine, each started when it is first needed.

    Unlike `ProcessPoolExecutor`, where the death of one process fails every call, it fails the one
    call that was running there; the next one gets a fresh process. As a context manager it waits
    for its calls; if an exception leaves it, Ctrl-C included, it ends them at once.

    The processes are forks of this one as it is now, which saves them the imports. Make it before
    threads are started and locks are taken.

    Args:
        processes: how many at most.
        level: how they will confine student code; each starts a template at once.
    """

    def __init__(self, processes: int, level: Level = STRICT) -> None:
        self._most = processes
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]] | None]
        self._calls = queue.SimpleQueue()
        self._seats: list[_Seat] = []
        self._nursery = _Nursery(level)

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        """Run a call on the next process that is free."""
        if kwargs:
            raise TypeError("a call takes positional arguments only")
        future: Future[Result] = Future()
        self._calls.put((future, fn, args))
        if len(self._seats) < self._most:
            self._seats.append(_Seat(self._calls, self._nursery))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End every process once it is free."""
        if cancel_futures:
            self._cancel()
        for _ in self._seats:
            self._calls.put(None)
        if wait:
            for seat in self._seats:
                seat.thread.join()
            self._nursery.close()

    def kill(self) -> None:
        """End every process at once, and all that it started."""
        self._nursery.kill()
        self._cancel()
        self.shutdown()
        sweep()  # what they had no time to remove

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.shutdown()
        else:
            self.kill()

    def _cancel(self) -> None:
        with suppress(queue.Empty):
            while True:
                call = self._calls.get_nowait()
                if call is not None:
                    call[0].cancel()


class _Seat:
    """One process at a time, and the thread that talks to it."""

    def __init__(self, calls: queue.SimpleQueue[Any], nursery: _Nursery) -> None:
        self._calls = calls
        self._nursery = nursery
        self._process: _Process | None = None
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function, arguments = call
            if future.set_running_or_notify_cancel():
                self._run(future, function, arguments)
        if self._process is not None:
            self._process.close()

    def _run(self, future: Future[Any], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        try:
            self._process = self._process or self._nursery.fork()
            succeeded, result = self._process.call(function, arguments)
        except BaseException as error:
            self._process = None
            future.set_exception(error)
            return
        if succeeded:
            future.set_result(result)
        else:
            future.set_exception(result)


class _Nursery:
    """This side of `nursery.serve`: asks for processes, and for how they ended."""

    def __init__(self, level: Level) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._killed = False
        parent = os.getpid()
        self._id = os.fork()
        if self._id == 0:
            self._control.close()
            nursery.serve(theirs, parent, level)
        theirs.close()

    def fork(self) -> _Process:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process_id = self._ask(b"fork", [theirs.fileno()])
            except BaseException:
                ours.close()
                raise
        return _Process(process_id, Connection(ours.detach()), lambda: self._ask(str(process_id).encode(), []))

    def _ask(self, message: bytes, descriptors: list[int]) -> int:
        with self._lock:
            if self._killed:
                raise ProcessLost("stopped")
            try:
                socket.send_fds(self._control, [message], descriptors)
                return int(self._control.recv(64))
            except (OSError, ValueError) as error:
                raise ProcessLost("no process could be started for it") from error

    def kill(self) -> None:
        """End the nursery; the kernel ends every process that it made, and what these made."""
        self._killed = True
        with suppress(ProcessLookupError):
            os.kill(self._id, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        self._control.close()
        with suppress(ChildProcessError):
            os.waitpid(self._id, 0)


class _Process:
    """One process, as trusted as this one: it has the same environment, and no terminal."""

    def __init__(self, process_id: int, connection: Connection, reap: Callable[[], int]) -> None:
        self._id = process_id
        self._connection = connection
        self._reap = reap

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
        """Whether the call returned, and its result or exception.

        Raises:
            ProcessLost: the process is gone.
        """
        try:
            self._connection.send((function, arguments))
            succeeded, result = self._connection.recv()
        except (EOFError, OSError) as error:
            self._connection.close()
            raise ProcessLost(_last_words(self._reap())) from error
        return bool(succeeded), result

    def close(self) -> None:
        """Let it end by itself, which removes its folder."""
        self._connection.close()
        with suppress(ProcessLost):
            self._reap()


def _last_words(status: int) -> str:
    if status >= 0:
        return f"the process that graded it ended with exit status {status}"
    memory = ", most likely for lack of memory" if status == -signal.SIGKILL else ""
    return f"the process that graded it was ended by {signal.Signals(-status).name}{memory}"
