"""Turns a student's values into what may cross the wall, and handles back into objects."""

from __future__ import annotations

import itertools
import time
import types
from collections.abc import Callable, Iterator, KeysView, ValuesView
from typing import Any

import numpy as np

from tensorgrade.wire import LEAVES, MAX_DEPTH, Callback, Handle

MAX_ITEMS = 100_000
PLAIN = (*(leaf for leaf in LEAVES if leaf is not np.ndarray), np.generic)
LISTED = (types.GeneratorType, Iterator, range, KeysView, ValuesView)

CallBack = Callable[[int, tuple[object, ...], dict[str, object]], object]


class GraderFunction:
    """A function of the grader's, as the student's code meets it: only values go in and come out.

    No gradient flows through it.
    """

    def __init__(self, objects: Objects, number: int) -> None:
        self._objects = objects
        self._number = number

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Ask the grader for the value."""
        return self._objects.call_back(self._number, args, kwargs)

    def __repr__(self) -> str:
        return "<a function of the grader's>"


class Objects:
    """The objects that the other side knows by number.

    Args:
        call_back: calls the grader's function of a number.
    """

    def __init__(self, call_back: CallBack) -> None:
        self._call_back = call_back
        self._by_number: dict[int, Any] = {}
        # A number of an earlier worker must not name an object of this one.
        self._numbers = itertools.count(time.monotonic_ns())

    def sendable(self, value: Any, depth: int = MAX_DEPTH) -> Any:
        """The value with iterators listed and every other object replaced by a handle.

        Raises:
            ValueError: it is nested too deeply.
        """
        if depth == 0:
            raise ValueError(f"the value is nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, PLAIN):
            return value
        if isinstance(value, np.ndarray):
            return value if value.dtype.kind in "biufc" else self.sendable(value.tolist(), depth)
        if isinstance(value, dict):
            return {key: self.sendable(item, depth - 1) for key, item in value.items()}
        if isinstance(value, LISTED):
            value = list(itertools.islice(value, MAX_ITEMS))
        if isinstance(value, list | tuple):
            items = [self.sendable(item, depth - 1) for item in value]
            return items if isinstance(value, list) else tuple(items)
        return self._handle(value)

    def resolve(self, value: Any) -> Any:
        """The value with each handle replaced by its object.

        Raises:
            KeyError: no object has that number.
        """
        if isinstance(value, Handle):
            return self._by_number[value.number]
        if isinstance(value, Callback):
            return GraderFunction(self, value.number)
        if isinstance(value, list | tuple):
            return type(value)(self.resolve(item) for item in value)
        if isinstance(value, dict):
            return {self.resolve(key): self.resolve(item) for key, item in value.items()}
        return value

    def call_back(self, number: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function of the grader's with values as they may cross the wall."""
        return self.resolve(self._call_back(number, self.sendable(args), self.sendable(kwargs)))

    def _handle(self, value: Any) -> Handle:
        number = next(self._numbers)
        self._by_number[number] = value
        return Handle(number)
