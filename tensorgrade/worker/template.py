"""The warm process: imports what student code needs, then forks one worker per request.

It is handed a control socket by its number, and what its workers have to read. Requests are
``("fork", limits, layers)`` with the worker's socket attached, and ``("reap", worker)``. It never
reads a submission: that goes over the worker's own socket, which it closes at once.
"""

from __future__ import annotations

import gc
import importlib
import os
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn

from tensorgrade.limits import Limits
from tensorgrade.sandbox import held_folders, namespaces, places
from tensorgrade.sandbox.confine import Confinement
from tensorgrade.sandbox.levels import Layer
from tensorgrade.sandbox.places import SharedPlaces
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
    folders: dict[int, SharedPlaces] = {}
    while True:
        data, descriptors, _, _ = socket.recv_fds(control, CONTROL_BYTES, 1)
        if not data:
            return
        match decode(data):
            case ("fork", dict(limits), tuple(layers)):
                confinement = Confinement(frozenset(map(Layer, layers)), readable)
                connection = socket.socket(fileno=descriptors[0])
                reply = _fork(shell, confinement, Limits(**limits), connection, control, folders)
                control.send(encode(reply))
            case ("reap", int(worker)):
                status = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
                if worker in folders:
                    folders.pop(worker).remove()
                control.send(encode(("ended", status)))


def _fork(
    shell: Shell,
    confinement: Confinement,
    limits: Limits,
    connection: socket.socket,
    control: socket.socket,
    folders: dict[int, SharedPlaces],
) -> tuple[str, int | str]:
    """Fork a worker, and say so; what it has on the disk is added to the folders of those that run."""
    with connection:
        try:
            shared = confinement.make_folders()
        except OSError as error:
            return "refused", str(error)
        try:
            worker = confinement.fork()
        except OSError as error:
            if shared is not None:
                shared.remove()
            return "refused", str(error)
        if worker == 0:
            locks = [held.lock for held in (*folders.values(), *filter(None, (shared,)))]
            _work(shell, confinement, shared, limits, connection, [control.detach(), *locks])
    if shared is not None:
        folders[worker] = shared
    return "forked", worker


def _work(
    shell: Shell,
    confinement: Confinement,
    shared: SharedPlaces | None,
    limits: Limits,
    connection: socket.socket,
    foreign: Iterable[int],
) -> NoReturn:
    """Be the worker, to its end, without the descriptors that are the template's: student code must not speak to it."""
    try:
        namespaces.die_with_parent()
        for descriptor in foreign:
            os.close(descriptor)
        # Else a signal to process 0, its group, would end the template (ref: kill(2); tests/attacks/d04).
        os.setsid()
        with saying_why(connection):
            places = confinement.furnish(shared, limits)
        serve(shell, confinement, places, limits, connection)
    except BaseException as error:
        _complain(error)
        os._exit(1)
    os._exit(0)


def _complain(error: Any) -> None:
    sys.__stderr__.write(f"{type(error).__name__}: {error}\n")  # type: ignore[union-attr]
    sys.__stderr__.flush()  # type: ignore[union-attr]


if __name__ == "__main__":
    main(int(sys.argv[1]), tuple(sys.argv[2:]))
    os._exit(0)  # to clear away what it has imported takes as long as a submission
