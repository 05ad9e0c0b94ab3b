"""The notebook's own namespace, asked in the words of a `Session`: for public checks."""

from __future__ import annotations

import linecache
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tensorgrade.errors import StudentError, StudentFrame
from tensorgrade.replies import Responder
from tensorgrade.replies.outline import read_outline
from tensorgrade.student.asking import Asking
from tensorgrade.student.kept import Keeper
from tensorgrade.wire import decode, encode


class NotebookSession(Asking):
    """Asks this process, which is the student's, in the same way as a worker is asked.

    Values go through the same encoding as over the wire, so that a check sees here what it sees there.

    Args:
        namespace: the notebook's names.
        instructor: by name, the sources of the instructor's modules.
    """

    def __init__(self, namespace: dict[str, Any], instructor: Mapping[str, str] | None = None) -> None:
        super().__init__(Keeper({}, str), instructor or {})
        self._namespace = namespace
        self._responder = Responder(namespace, self._answer_call)

    def begin_check(self, seed: int, cpu_seconds: float | None = None) -> None:
        """Seed this process, as a worker is seeded; it has no budget, since its owner can interrupt it."""
        self._functions.clear()
        self.ask(("seed", seed))

    def read_outline(self) -> dict[str, dict[str, Any]]:
        """What the cells that were run so far define; in a plain script, what its file defines."""
        cells = self._namespace.get("In")
        if not isinstance(cells, list):
            file = self._namespace.get("__file__")
            cells = [Path(file).read_text(encoding="utf-8")] if isinstance(file, str) else []
        return read_outline([cell for cell in cells if isinstance(cell, str)])

    def _exchange(self, message: tuple[Any, ...]) -> Any:
        request = decode(encode(message, self._as_reference))
        try:
            return decode(encode(self._responder.answer(request)))
        except Exception as error:
            frames = tuple(self._own_lines(error.__traceback__))
            raise StudentError(type(error).__name__, str(error), frames) from error

    def _answer_call(self, number: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        args, kwargs = decode(encode((args, kwargs)))
        match self._call_back(number, args, kwargs):
            case ("returned", value):
                return decode(encode(value, self._as_reference))
        raise RuntimeError("the function that the check passed in raised an exception")

    def _own_lines(self, trace: types.TracebackType | None) -> Iterator[StudentFrame]:
        """The lines of the notebook in a traceback; a cell has no number here."""
        while trace is not None:
            if trace.tb_frame.f_globals is self._namespace:
                text = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
                yield StudentFrame(0, trace.tb_lineno, text.strip())
            trace = trace.tb_next
