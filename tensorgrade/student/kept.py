"""Keeps what is dear to compute, such as trained weights, from one grading to the next."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from tensorgrade.errors import WireError
from tensorgrade.student.proxies import StudentObject
from tensorgrade.wire import Handle, decode, encode


class Keeper:
    """Results by a hash of all that decides them.

    Args:
        known: what earlier gradings of this submission kept.
        identity: makes a hash of the submission, of what runs beside it, and of the libraries.

    Attributes:
        used: the part of `known` that was asked for, and what was added to it.
    """

    def __init__(self, known: Mapping[str, bytes], identity: Callable[[], str]) -> None:
        self._known = dict(known)
        self._identity = identity
        self.used: dict[str, bytes] = {}

    def keep(self, key: str, compute: Callable[[], Any]) -> Any:
        """The value that is kept under a key, or the computed one, which is kept from now on.

        Raises:
            TypeError: the value holds an object that stays on the student's side.
        """
        found = self.used.get(key) or self._known.get(key) or encode(compute(), _refuse)
        self.used[key] = found
        return decode(found)

    def key_of(self, seed: int, call: tuple[Any, ...]) -> str:
        """A hash of a call and of the seed on the student's side, equal on every run.

        Args:
            seed: what the student's side was seeded with.
            call: a function, its arguments and its keyword arguments.

        Raises:
            TypeError: an argument is no plain value and no name of the submission.
            ValueError: an argument is nested too deeply, or a number too large.
        """
        try:
            content = encode((self._identity(), seed, call), _by_origin)
        except WireError as error:  # a value of the student's may be among the arguments
            raise ValueError(f"student.kept: {error}") from error
        return hashlib.sha256(content).hexdigest()


def _by_origin(value: Any) -> Handle:
    """A reference that is the same on every run."""
    origin = value._origin if isinstance(value, StudentObject) else None
    if origin is None:
        raise TypeError(
            "student.kept: expected functions and classes of the submission or of a loaded module, and plain values; "
            f"got {value!r}. Make such objects inside the function that is kept."
        )
    return Handle(int.from_bytes(hashlib.sha256(origin.encode()).digest()[:8], "little"))


def _refuse(value: Any) -> Handle:
    raise TypeError("expected plain values to keep, got an object that stays on the student's side")
