"""The warm process: imports what student code needs, then forks one worker per request.

It is handed a control socket by its number, and what its workers have to read. Requests are
``("fork", limits, layers)`` with the worker's socket attached, and ``("reap", keeper)``. It never
reads a submission: that goes over the worker's own socket, which it closes at once.

Each worker has a keeper, its parent in the template's pid namespace, which outlives it only to tell
how it ended.
"""

from __future__ import annotations

import gc
import importlib
import os
import socket
import sys
from contextlib import suppress
from typing import Any

from tensorgrade.limits import Limits
from tensorgrade.sandbox import held_folders, namespaces, places
from tensorgrade.sandbox.confine import Confinement
from tensorgrade.sandbox.levels import Layer
from tensorgrade.wire import decode, encode
from tensorgrade.worker.session import saying_why, serve
from tensorgrade.worker.shell import Shell

CONTROL_BYTES = 4096


def main(control_number: int, readable: tuple[str, ...]) -> None:
    """Serve until the control socket closes."""
    control = socket.socket(fileno=control_number)
    namespaces.die_with_parent()
    held_folders.sweep(places.PREFIX)
    with suppress(RuntimeError):  # without libseccomp a worker that needs it is refused
        importlib.import_module("tensorgrade.sandbox.system_calls")
    shell = Shell.warm()
    gc.collect()
    gc.freeze()  # workers share these pages; a collection would copy them
    control.send(encode(("ready", os.getpid())))
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, CONTROL_BYTES, 1)
        if not data:
            return
        match decode(data):
            case ("fork", dict(limits), tuple(layers)):
                confinement = Confinement(frozenset(map(Layer, layers)), readable)
                keeper = _fork(shell, confinement, Limits(**limits), descriptors[0], control)
                control.send(encode(("forked", keeper)))
            case ("reap", int(keeper)):
                control.send(encode(("ended", os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1]))))


def _fork(shell: Shell, confinement: Confinement, limits: Limits, connection: int, control: socket.socket) -> int:
    keeper = os.fork()
    if keeper:
        os.close(connection)
        return keeper
    try:
        namespaces.die_with_parent()
        control.close()  # student code must not speak to the template
        os._exit(_keep(shell, confinement, limits, socket.socket(fileno=connection)))
    except BaseException as error:
        _complain(error)
        os._exit(1)


def _keep(shell: Shell, confinement: Confinement, limits: Limits, connection: socket.socket) -> int:
    """Enter the namespaces, fork the worker into them, and wait for it."""
    with saying_why(connection):
        shared = confinement.enter()
    worker = os.fork()
    if worker == 0:
        try:
            namespaces.die_with_parent()
            # Else a signal to process 0, its group, would end the template (ref: kill(2); tests/attacks/d04).
            os.setsid()
            with saying_why(connection):
                own = confinement.furnish(shared, limits)
            serve(shell, confinement, own, limits, connection)
        except BaseException as error:
            _complain(error)
            os._exit(1)
        os._exit(0)
    connection.close()
    code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    if shared is not None:
        shared.remove()
    return code if code >= 0 else 128 - code


def _complain(error: Any) -> None:
    sys.__stderr__.write(f"{type(error).__name__}: {error}\n")  # type: ignore[union-attr]
    sys.__stderr__.flush()  # type: ignore[union-attr]


if __name__ == "__main__":
    main(int(sys.argv[1]), tuple(sys.argv[2:]))
    os._exit(0)  # to clear away what it has imported takes as long as a submission
