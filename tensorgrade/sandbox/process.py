"""One worker seen from outside: its channel, its clock, its end."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorgrade.errors import SandboxError, WireError, WorkerLost
from tensorgrade.limits import MIB, Limits
from tensorgrade.sandbox.groups import Lent
from tensorgrade.wire import AsReference, Channel, decode, encode

WALL_FACTOR = 3
SECONDS_TO_END = 2.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SCM_CREDENTIALS = 2  # ref: unix(7); Python's socket module has no name for it
HELLO = b"hello"
MAX_REASON_BYTES = 500
NO_GROUPS = Lent()
LACK_OF_MEMORY = "the process was killed, most likely for lack of memory"
TRY_DOCTOR = "`tensorgrade doctor` tries each boundary."


class Worker:
    """A confined process that holds one student's code.

    Args:
        connection: our end of the worker's socket pair; `SO_PASSCRED` is set on it.
        limits: what the worker may use.
        reap: waits for the worker's end and returns its exit status; minus a signal's number if that ended it.
        lent: where it gets a control group, if anywhere.
        disturbed: called when something else than its code or its limits ended it.

    Raises:
        SandboxError: it was not started, or the kernel refuses a limit.
        WorkerLost: something has killed it before it was confined.
    """

    def __init__(
        self,
        connection: socket.socket,
        limits: Limits,
        reap: Callable[[], int],
        lent: Lent = NO_GROUPS,
        disturbed: Callable[[], None] = lambda: None,
    ) -> None:
        self.limits = limits
        self._reap = reap
        self._disturbed = disturbed
        self._closed = False
        self._group = None
        try:
            self.process_id = _receive_hello(connection)
            # A process id can be reused, a pidfd cannot be mistaken (ref: pidfd_open(2)).
            self.pidfd = os.pidfd_open(self.process_id)
        except EOFError:
            raise self._died_early(self._reap()) from None
        except SandboxError:
            self._reap()  # it has said why and ends by itself; what it had on the disk goes with it
            raise
        self.channel = Channel(connection, limits.message_bytes, self._watch)
        self._size_before = max(_usage(self.process_id)[1], default=0)
        try:
            self._group = lent.confine(self.process_id, limits, self._size_before)
        except OSError as error:
            self.close()
            raise SandboxError(
                f"sandbox: control group: {error}. Refusing to run student code; {TRY_DOCTOR}"
            ) from error
        self.allow(limits.check_cpu_seconds)

    def allow(self, cpu_seconds: float) -> None:
        """Start a new budget: this much CPU time from now, and three times that by the wall clock."""
        self.cpu_seconds = cpu_seconds
        self._cpu_before, _ = _usage(self.process_id)
        self._waited = 0.0

    def request(self, message: tuple[Any, ...], as_reference: AsReference | None = None) -> tuple[Any, ...]:
        """Send one request and return its reply, a tuple whose first element is a str.

        Raises:
            WorkerLost: the worker died, exceeded its budget, or sent something that is no reply.
            SandboxError: the machine refused a layer; no code of a student's has run.
        """
        data = encode(message, as_reference)
        self._asked = time.monotonic()
        try:
            self.channel.send(data)
            reply = decode(self.channel.receive())
        except WireError as error:
            self.close()
            raise WorkerLost("BAD_REPLY", str(error)) from error
        except (EOFError, OSError) as error:
            raise self._lost() from error
        self._waited += time.monotonic() - self._asked
        match reply:
            case ("refused", str(reason)) if message == ("begin",):
                self.close()
                raise SandboxError(f"sandbox: {reason}. Refusing to run student code; {TRY_DOCTOR}")
            case (str(), *_):
                return tuple(reply)
        self.close()
        raise WorkerLost("BAD_REPLY", "the reply is not one of the protocol's")

    def close(self) -> int:
        """Kill the worker with all it started, and return its exit status."""
        if self._closed:
            return 0
        self._closed = True
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended by itself
        finally:
            os.close(self.pidfd)
            self.channel.connection.close()
        status = self._reap()
        if self._group is not None:
            self._group.end()
        return status

    def _watch(self) -> None:
        """End the wait when a budget is used up."""
        cpu_seconds, sizes = _usage(self.process_id)
        used = cpu_seconds - self._cpu_before
        # Each process began with the template's pages, which all of them share.
        memory_bytes = sum(max(0, size - self._size_before) for size in sizes)
        waited = self._waited + time.monotonic() - self._asked
        if used > self.cpu_seconds:
            self.close()
            raise WorkerLost("TIMED_OUT", f"stopped after {used:.1f} s of CPU time (limit {self.cpu_seconds:g} s)")
        if memory_bytes > self.limits.memory_mib * MIB:
            self.close()
            limit_mib = self.limits.memory_mib
            raise WorkerLost("OUT_OF_MEMORY", f"stopped: its processes took more than {limit_mib} MiB together")
        if waited > WALL_FACTOR * self.cpu_seconds:
            self.close()
            limit = WALL_FACTOR * self.cpu_seconds
            raise WorkerLost("TIMED_OUT", f"stopped after {waited:.1f} s by the clock (limit {limit:g} s)")

    def _lost(self) -> WorkerLost:
        """How a worker whose channel closed has ended."""
        # A pidfd becomes readable when its process ends (ref: pidfd_open(2)).
        ended, _, _ = select.select([self.pidfd], [], [], SECONDS_TO_END)
        greedy = self._group is not None and self._group.ran_out_of_memory()
        status = self.close()
        if not ended:
            return WorkerLost("BAD_REPLY", "the code closed the channel to the grader")
        if status == -signal.SIGKILL:
            # The first process of a pid namespace cannot do this to itself (ref: pid_namespaces(7)).
            if not greedy:
                self._disturbed()
            return WorkerLost("OUT_OF_MEMORY", LACK_OF_MEMORY)
        if -status in {number.value for number in signal.Signals}:
            return WorkerLost("KILLED", f"the process crashed ({signal.Signals(-status).name})")
        return WorkerLost("EXITED", f"the code ended its own process (exit status {status})")

    def _died_early(self, status: int) -> WorkerLost | SandboxError:
        """Why a worker is gone in which no code of a student's has run."""
        if status == -signal.SIGKILL:
            self._disturbed()
            return WorkerLost("OUT_OF_MEMORY", LACK_OF_MEMORY)
        return refusal(f"it gave no reason (exit status {status})")


def _receive_hello(connection: socket.socket) -> int:
    """The worker's process id as this machine counts it, vouched for by the kernel (ref: unix(7))."""
    connection.settimeout(10)
    room = socket.CMSG_SPACE(struct.calcsize("iII"))
    data, ancillary, _, _ = connection.recvmsg(MAX_REASON_BYTES, room)
    credentials = [c for level, kind, c in ancillary if (level, kind) == (socket.SOL_SOCKET, SCM_CREDENTIALS)]
    if not data:
        raise EOFError
    if data != HELLO or not credentials:
        raise refusal(data.decode(errors="replace"))
    process_id: int = struct.unpack("iII", credentials[0])[0]
    return process_id


def refusal(reason: str) -> SandboxError:
    """The error for a worker that this machine cannot confine."""
    return SandboxError(f"sandbox: a worker did not start: {reason}. Refusing to run student code; {TRY_DOCTOR}")


def _usage(process_id: int) -> tuple[float, list[int]]:
    """CPU seconds of a process and all below it together, and the resident bytes of each.

    All of a worker's processes are below it, because it is the first of its pid namespace.
    """
    cpu, resident = 0.0, []
    open_ids = [process_id]
    while open_ids:
        folder = Path(f"/proc/{open_ids.pop()}")
        try:
            # The name, field 2, is in parentheses and may hold anything (ref: proc_pid_stat(5)).
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            cpu += sum(int(field) for field in fields[11:15]) / TICKS_PER_SECOND
            resident.append(int(fields[21]) * PAGE_BYTES)
            for task in (folder / "task").iterdir():
                open_ids += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return cpu, resident
