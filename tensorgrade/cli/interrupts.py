"""Ctrl-C: stops a command once, between two results, and leaves nothing half done."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SECONDS_TO_STOP = 10.0


class Interrupts:
    """Turns the first signal into `KeyboardInterrupt`; the next ones do not disturb the cleaning up.

    Attributes:
        asked: when the first signal came, by the monotonic clock.
    """

    def __init__(self) -> None:
        self.asked: float | None = None
        self._held = False

    @classmethod
    def current(cls) -> Interrupts:
        """Those of the command that runs."""
        context = click.get_current_context(silent=True)
        return (context and context.find_object(cls)) or cls()

    def install(self) -> None:
        """Listen to Ctrl-C, to `kill` and to a terminal that closes, where they are not ignored (nohup)."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Finish what is in the block first: a result is recorded whole or not at all."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.check()

    def check(self) -> None:
        """Stop here if a signal came meanwhile.

        Raises:
            KeyboardInterrupt: one came.
        """
        if self.asked is not None:
            raise KeyboardInterrupt

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.asked is not None and now - self.asked < SECONDS_TO_STOP:
            return  # it is stopping already
        self.asked = now
        if not self._held:
            raise KeyboardInterrupt
