"""Ends what a check's own function does when student code calls it with something that takes too long."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tensorgrade.errors import WorkerLost


class _TooLong(BaseException):
    """Not an `Exception`: a check's function may catch those."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """End the block after so long, by the clock.

    It ends Python code, and between two calls of a library; one single long operation in C goes on to
    its end. Only the main thread of a process can be interrupted so (ref: setitimer(2), Python's
    `signal`): that is where graders run.

    Raises:
        WorkerLost: the time is over. Whoever chose the arguments is to blame for it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    is_running = True

    def stop(number: int, frame: FrameType | None) -> None:
        if is_running:
            raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.01))
    try:
        yield
        is_running = False
    except _TooLong:
        reason = f"stopped: the check's function took more than {seconds:.1f} s for what it was called with"
        raise WorkerLost("TIMED_OUT", reason) from None
    finally:
        is_running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
