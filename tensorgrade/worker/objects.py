"""Turns a student's values into what may cross the wall, and handles back into objects."""

from __future__ import annotations

import itertools
import time
import types
from collections.abc import Iterator, KeysView, ValuesView
from typing import Any

import numpy as np
import torch

from tensorgrade.wire import MAX_DEPTH, Handle

MAX_ITEMS = 100_000
PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic, torch.Tensor, Handle)
LISTED = (types.GeneratorType, Iterator, range, KeysView, ValuesView)


class Objects:
    """The objects that the other side knows by number."""

    def __init__(self) -> None:
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
        if isinstance(value, torch.dtype | torch.device):
            return str(value)
        return self._handle(value)

    def resolve(self, value: Any) -> Any:
        """The value with each handle replaced by its object.

        Raises:
            KeyError: no object has that number.
        """
        if isinstance(value, Handle):
            return self._by_number[value.number]
        if isinstance(value, list | tuple):
            return type(value)(self.resolve(item) for item in value)
        if isinstance(value, dict):
            return {self.resolve(key): self.resolve(item) for key, item in value.items()}
        return value

    def _handle(self, value: Any) -> Handle:
        number = next(self._numbers)
        self._by_number[number] = value
        return Handle(number)
