"""Calls the code under check, and compares what it returns with what it returned before.

Checks of a property compare a function with itself, on inputs that differ in one respect. What counts
is whether a difference is there at all: rounding is allowed for, and a change that shows is demanded,
so that a constant function does not pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import torch
from torch import Tensor

from tensorgrade.checks.closeness import EXACT, assert_close, assert_finite, assert_shape, unpack_tensors
from tensorgrade.errors import CheckFailure

Function = Callable[..., object]
Inputs = Tensor | Sequence[Any]


class Closeness(TypedDict, total=False):
    """The options that every check of a property takes.

    Attributes:
        rtol: allowed relative difference (no unit); 1e-4 if not given. float32 rounds at 6e-8, and a sum of some
            hundred terms in another order, through a few layers, loses two or three digits. A property that is
            violated is violated by far more.
        atol: allowed absolute difference, in units of the result; 1e-5 times the largest value of the result,
            1e-5 at least, if not given: terms of that size may have cancelled.
        name: what the task calls the result.
    """

    rtol: float
    atol: float
    name: str


@dataclass(frozen=True)
class Probe:
    """Asks a function for results that are plain and finite, and compares them.

    Attributes:
        function: the code under check: a function or module of a submission, or of this process.
        closeness: how far two results may be apart, and what the result is called.
    """

    function: Function
    closeness: Closeness

    @property
    def name(self) -> str:
        """What the task calls the result."""
        return self.closeness.get("name", "the result")

    def result(self, *inputs: Any) -> Tensor:
        """The result for copies of some inputs.

        Raises:
            CheckFailure: it is not a tensor, or a value is NaN or infinite.
        """
        copies = (value.clone() if isinstance(value, Tensor) else value for value in inputs)
        (plain,) = unpack_tensors((self.function(*copies),), self.name)
        assert_finite(plain, name=self.name)
        return plain

    def difference(self, actual: Tensor, expected: Tensor, scale: float = 1.0) -> CheckFailure | None:
        """How two results differ, or None if they are the same but for rounding.

        Args:
            actual: from the submission.
            expected: from the submission as well, finite.
            scale: size of the terms that were added up, in units of the result, if larger than the result.

        Raises:
            CheckFailure: they have different shapes.
        """
        assert_shape(actual, expected.shape, name=self.name)
        is_exact = expected.dtype in EXACT
        size = 1.0 if is_exact or not expected.numel() else expected.double().abs().max().item()
        coarse = max(1e-4, *(torch.finfo(one.dtype).eps for one in (actual, expected) if one.is_floating_point()), 0.0)
        rtol = self.closeness.get("rtol", 0.0 if is_exact else coarse)
        atol = self.closeness.get("atol", 0.0 if is_exact else 1e-5 * max(1.0, size, scale))
        try:
            assert_close(actual, expected, rtol=rtol, atol=atol, name=self.name)
        except CheckFailure as failure:
            return failure
        return None

    def require_same(self, actual: Tensor, expected: Tensor, hint: str, scale: float = 1.0) -> None:
        """Fail with the hint of a property if two results differ."""
        difference = self.difference(actual, expected, scale)
        if difference is not None:
            raise CheckFailure(f"{hint.partition('. ')[0]}: {difference.rationale}", hint) from difference

    def require_effect(self, changed: bool, what: str) -> None:
        """Fail if no result has changed where it must: then the property holds for a trivial reason.

        Args:
            changed: whether a result has changed.
            what: what was changed in the input.
        """
        if not changed:
            hint = f"{self.name} stays as it is when {what}. Does it depend on the input at all?"
            raise CheckFailure(f"no effect on {self.name}: {what}", hint)


def as_tuple(inputs: Inputs) -> tuple[Any, ...]:
    """The arguments of a call: a tensor alone is the only one."""
    return (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)


def length_along(inputs: tuple[Any, ...], axis: int, *, least: int) -> int:
    """The size that all inputs have along an axis.

    Raises:
        ValueError: they are no tensors of one such size, or it is too small to show anything.
    """
    sizes = {value.shape[axis] if isinstance(value, Tensor) and value.dim() else None for value in inputs}
    size = sizes.pop() if len(sizes) == 1 else None
    if size is None or size < least:
        raise ValueError(
            f"expected tensors of one size along axis {axis}, at least {least}; got "
            f"{[tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__ for value in inputs]}. "
            "Arguments that stay as they are belong into a lambda."
        )
    return size


def altered(value: Tensor, rng: torch.Generator) -> Tensor:
    """Each element replaced by another value of the tensor, which is as valid a token id or pixel."""
    known: Tensor
    known, index = torch.unique(value, return_inverse=True)
    if len(known) < 2:
        return value.clone()
    away = torch.randint(1, len(known), value.shape, generator=rng)
    return known[(index + away) % len(known)]


def altered_inputs(arguments: tuple[Any, ...], rng: torch.Generator) -> tuple[Any, ...]:
    """The arguments with every tensor `altered`.

    Raises:
        ValueError: in each tensor all values are alike, so that nothing can be altered.
    """
    others = tuple(altered(value, rng) if isinstance(value, Tensor) else value for value in arguments)
    tensors = [pair for pair in zip(arguments, others, strict=True) if isinstance(pair[0], Tensor)]
    if tensors and all(torch.equal(value, other) for value, other in tensors):
        raise ValueError("expected an input whose values are not all alike: others are drawn from them")
    return others


def narrowed(value: Tensor, axis: int, start: int, stop: int) -> Tensor:
    """The entries from `start` to before `stop` along an axis, in memory of their own."""
    return value.narrow(axis, start, stop - start).clone()
