"""What the processes of the local executor run, and the one that they are forked from.

The nursery is a fork of the coordinator from before it had threads, locks or a database open. It
knows nothing but what was imported, so that a process is there at once, also one that replaces
another that died.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import socket
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from tensorgrade.errors import PlatformError, SandboxError
from tensorgrade.fleet.bench import warm_template
from tensorgrade.fleet.job import close_benches
from tensorgrade.sandbox.levels import Level
from tensorgrade.sandbox.namespaces import die_with_parent

CONTROL_BYTES = 64


def serve(control: socket.socket, parent: int, level: Level) -> NoReturn:
    """Fork a process for each socket that comes, and tell how a process ended, until nobody asks any more.

    Args:
        control: where the sockets come from.
        parent: the coordinator's process id.
        level: how the processes will confine student code.
    """
    status = 1
    try:
        _leave_terminal()
        _follow(parent)
        _serve(control, level)
        status = 0
    finally:
        os._exit(status)  # nothing of the coordinator's is flushed, closed or removed here


def _serve(control: socket.socket, level: Level) -> None:
    own = os.getpid()
    gc.freeze()  # forks share these pages; a collection would copy them
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, CONTROL_BYTES, 1)
        if not data:
            return
        if not descriptors:
            control.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(int(data), 0)[1]))
            continue
        process_id = os.fork()
        if process_id == 0:
            _run(control, own, descriptors[0], level)
        os.close(descriptors[0])
        control.send(b"%d" % process_id)


def _run(control: socket.socket, parent: int, descriptor: int, level: Level) -> NoReturn:
    """Run calls, one after the other, until the connection closes."""
    status = 1
    try:
        _follow(parent)
        control.close()
        warm_template(level)  # it starts while the first call arrives
        _answer_calls(Connection(descriptor))
        status = 0
    finally:
        close_benches()
        warm_template(level).close()
        os._exit(status)


def _answer_calls(connection: Connection) -> None:
    sandbox_holds = True
    try:
        while sandbox_holds:  # without it the next call gets a process, with a template of its own
            function, arguments = connection.recv()
            sandbox_holds, answer = _answer(function, arguments)
            connection.send_bytes(answer)
    except (EOFError, ConnectionError):
        return


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, bytes]:
    """Whether the sandbox holds, and the result or the error as bytes."""
    try:
        return True, pickle.dumps((True, function(*arguments)))
    except SandboxError as error:
        return False, pickle.dumps((False, error))
    except Exception as error:
        try:
            return True, pickle.dumps((False, error))
        except Exception:  # an error of a type that cannot be sent
            return True, pickle.dumps((False, PlatformError(f"{type(error).__name__}: {error}")))


def _follow(parent: int) -> None:
    """Be killed with the parent, also if it is gone already."""
    die_with_parent()
    if os.getppid() != parent:
        os._exit(1)


def _leave_terminal() -> None:
    """Ctrl-C and the closing of the terminal are for the coordinator, which then ends this."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
