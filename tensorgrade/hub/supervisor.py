"""The supervisor of a service of the hub: starts it on a socket that already listens, and again when it has ended.

It stands outside the service's room, as the hub's own user. The hub looks after its services every 30 seconds only;
at a deadline that is long.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tensorgrade.errors import TensorgradeError
from tensorgrade.hub.listening import FIRST
from tensorgrade.hub.ports import borrow
from tensorgrade.hub.room import find_setpriv

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 3.0  # seconds
SETTLED_SECONDS = 10.0  # who has run for so long was able to start
KILLED = 128  # and more: bubblewrap's status for a program that a signal has ended
STOP = frozenset({signal.SIGTERM, signal.SIGINT})
# A program believes the sockets are for it only if its own number is named, which in a room nobody outside knows.
AS_LISTENER = ("/bin/sh", "-c", 'export LISTEN_PID="$$" && exec "$@"', "sh")


def supervised(door: Path, name: str, room: Sequence[str], program: Sequence[str]) -> list[str]:
    """The command by which the hub starts a service under a supervisor.

    Args:
        door: where the hub lends its ports.
        name: of the service.
        room: what stands before the program so that it runs in its room.
        program: the service.
    """
    bwrap, *inside = room
    return [
        # A hub that is killed takes its services along (ref: PR_SET_PDEATHSIG in prctl(2); "nobody outlives the hub").
        find_setpriv(), "--pdeathsig", "KILL", "--",
        # Isolated: HOME and the like are the service's, and what its account puts there must not run as the hub's.
        sys.executable, "-I", "-m", __name__, str(door), name,
        bwrap, "--die-with-parent", *inside, *AS_LISTENER, *program,
    ]  # fmt: skip


def supervise(name: str, listening: int, command: Sequence[str]) -> int:
    """Run a command until somebody stops this process, and again at once whenever it is killed.

    Args:
        name: what to call it in the log.
        listening: the descriptor of its listening socket.
        command: what to run.

    Returns:
        The exit status for this process: 0 if it was told to stop, and that of the command if it ended by itself
        before it was able to start. To try this again and again would only take the machine's time: the hub says
        it in its log, and tries once in 30 seconds.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {*STOP, signal.SIGCHLD})  # they are waited for instead
    pause = 0.0
    while True:
        started = time.monotonic()
        status = _ended(_start(name, listening, command))
        if status is None:
            return 0
        ran = time.monotonic() - started
        again = pause_after(status, ran, pause)
        then = "left to the hub" if again is None else f"started again after {again:.1f} s"
        sys.stderr.write(f"[supervisor] {name}: ended with status {status} after {ran:.1f} s; {then}\n")
        if again is None:
            return status
        if signal.sigtimedwait(STOP, again) is not None:
            return 0
        pause = again


def pause_after(status: int, ran_seconds: float, last_pause: float) -> float | None:
    """How many seconds to wait before the next start; None: this one was not able to start, so do not try.

    Args:
        status: how it ended; negative, or from 128 on, if a signal ended it.
        ran_seconds: how long it ran.
        last_pause: the pause before that, in seconds; 0: it was the first start.
    """
    if ran_seconds >= SETTLED_SECONDS:
        return FIRST_PAUSE
    if 0 <= status < KILLED:
        return None
    return min(max(FIRST_PAUSE, 2 * last_pause), LONGEST_PAUSE)


def _start(name: str, listening: int, command: Sequence[str]) -> int:
    """Start the command with the socket where it looks for it; everything else that is open here stays here."""
    environment = {**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": name}
    moved = [(os.POSIX_SPAWN_DUP2, listening, FIRST)]
    return os.posix_spawn(command[0], list(command), environment, file_actions=moved, setsigmask=())


def _ended(child: int) -> int | None:
    """Wait for a child, and pass on to it what would stop this process; None: it was stopped so."""
    told = False
    while True:
        number = signal.sigwait({*STOP, signal.SIGCHLD})
        if number in STOP:
            told = True
            os.kill(child, number)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return None if told else os.waitstatus_to_exitcode(status)


def main(door: str, name: str, *command: str) -> int:
    """Borrow the port and supervise; the status of the process."""
    try:
        with borrow(Path(door), name) as listening:
            return supervise(name, listening.fileno(), command)
    except TensorgradeError as error:
        sys.stderr.write(f"[supervisor] {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
