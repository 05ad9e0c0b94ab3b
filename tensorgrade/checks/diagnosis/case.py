"""A wrong tensor, what its author says about it, and when a guess explains it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

# An explanation that fits by luck once in 10**DIGITS tries, and no more often, is believed.
DIGITS = 4.0
# One bool agrees by luck every other time, and neighbours in a mask are not independent.
DIGITS_OF_A_BOOL = 0.4
# A value agrees to so many digits at most: float32 holds seven, of which rounding takes one.
MOST_DIGITS = 6.0
# Pairs of values that are looked at to count the independent ones.
SAMPLE = 2048
# Places of a large tensor that are compared before all of them are.
PLACES = 500


class Cause(Enum):
    """What may be wrong with a tensor; the values are the labels of the corpus."""

    SHAPE = "shape"
    DTYPE = "dtype"
    FACTOR = "factor"
    SIGN = "sign"
    OFFSET = "offset"
    TRANSPOSED = "transposed"
    REVERSED = "reversed"
    ROLLED = "rolled"
    SOFTMAX_AXIS = "softmax_axis"
    REDUCTION = "reduction"
    VARIANCE = "variance"
    EPSILON = "epsilon"
    MASK_INVERTED = "mask_inverted"
    MASK_AFTER_SOFTMAX = "mask_after_softmax"
    MASK_IGNORED = "mask_ignored"
    MASK_OFF_BY_ONE = "mask_off_by_one"
    LOG_OR_EXP = "log_or_exp"
    SOME_ROWS = "some_rows"
    NOT_FINITE = "not_finite"
    UNSTABLE = "unstable"
    DETACHED = "detached"
    ACCUMULATES = "accumulates"
    STATEFUL = "stateful"
    ARGUMENT_IGNORED = "argument_ignored"
    ARGUMENTS_SWAPPED = "arguments_swapped"
    INPUT_AXIS = "input_axis"
    KNOWN_MISTAKE = "known_mistake"
    CONSTANT = "constant"


Input: TypeAlias = Tensor | int | float | None


@dataclass(frozen=True)
class Facts:
    """What a check's author may say about the value; all optional, none of it shown but the names.

    Attributes:
        sizes: named sizes, such as ``{"d_k": 8, "N": 5}``; hints say the name, never the number.
        dim: the axis that is normalised or reduced.
        inputs: what the function was called with, by argument name.
        reference: ``reference(**inputs)`` is the expected value. It is called with altered inputs
            (mask inverted, arguments swapped, another epsilon), so it must not change them.
        mask: the name of the input that is the mask, True = may look.
        earlier: what the call before returned.
        again: what the same call returned a second time.
        mistakes: by hint, the wrong value that it explains, or a function of the inputs that gives it.
    """

    sizes: Mapping[str, int] = field(default_factory=dict)
    dim: int | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict)
    reference: Callable[..., Tensor] | None = None
    mask: str | None = None
    earlier: Tensor | None = None
    again: Tensor | None = None
    mistakes: Mapping[str, Tensor | Callable[..., Tensor]] = field(default_factory=dict)


NO_FACTS = Facts()


@dataclass(frozen=True)
class Diagnosis:
    """The likely cause, and the sentence or two that a student reads."""

    cause: Cause
    hint: str


@dataclass(frozen=True)
class Guess:
    """The value that a mistake would have given; it is believed if it is the actual one.

    Attributes:
        value: what the mistake gives, shape of the expected value.
        diagnosis: what to say then.
        fitted: how many numbers in it were taken from the actual value, or chosen among many.
    """

    value: Tensor
    diagnosis: Diagnosis
    fitted: int = 0


def guess(value: Tensor, cause: Cause, hint: str, *, fitted: int = 0) -> Guess:
    """A guess in one line."""
    return Guess(value, Diagnosis(cause, hint), fitted)


@dataclass(frozen=True)
class Case:
    """A pair of tensors of one shape, in float64, of which the first is wrong."""

    actual: Tensor
    expected: Tensor
    facts: Facts
    rtol: float
    atol: float

    @cached_property
    def scale(self) -> float:
        """The largest finite magnitude among the expected values."""
        return _largest(self.expected)

    @cached_property
    def is_binary(self) -> bool:
        """Whether the expected value is a mask: two values, 0 and 1."""
        return bool(((self.expected == 0) | (self.expected == 1)).all())

    @cached_property
    def digits_of_a_place(self) -> float | None:
        """For whole numbers, to how many digits one place of the value agrees by luck; None for others."""
        finite = self.expected[self.expected.isfinite()]
        if (finite != finite.round()).any() or (self.actual != self.actual.round()).any():
            return None
        kinds = torch.unique(finite[: 4 * SAMPLE]).numel()
        if self.is_binary and self.expected.dim() and (self.expected.sum(-1) == 1).all():
            # A row of a one-hot table is one choice among its columns.
            return math.log10(self.expected.shape[-1]) / self.expected.shape[-1]
        return math.log10(max(kinds, 1))

    @cached_property
    def out(self) -> Tensor:
        """Where the actual value is wrong: bool, shape of both."""
        return ~self.near(self.actual, self.expected)

    @cached_property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.out.any()

    @cached_property
    def _farthest(self) -> float:
        """No place of a value that explains the actual one is farther from it than this."""
        largest = _largest(self.actual)
        return 10 * (self.atol + self.rtol * largest) + 1e-6 * max(self.scale, largest) * 2

    def near(self, value: Tensor, other: Tensor, *, times: float = 1.0) -> Tensor:
        """Where two values agree within the check's tolerance, or are not finite in the same way."""
        limit = times * (self.atol + self.rtol * other.abs())
        close = ((value - other).abs() <= limit) & value.isfinite() & other.isfinite()
        return close | (value == other) | (value.isnan() & other.isnan())

    def agrees(self, value: Tensor) -> bool:
        """Whether a value is the expected one, within tolerance."""
        return value.shape == self.expected.shape and bool(self.near(value.double(), self.expected).all())

    def recompute(self, **altered: object) -> Tensor | None:
        """What the reference gives for altered inputs, in float64; None if it cannot."""
        return compute(self.facts.reference, {**self.facts.inputs, **altered})

    @cached_property
    def is_reproducible(self) -> bool:
        """Whether the reference gives the expected value for the inputs as they are."""
        value = self.recompute()
        return value is not None and self.agrees(value)

    def part(self, actual: Tensor, expected: Tensor) -> Case:
        """The same question about other values."""
        return Case(actual, expected, self.facts, self.rtol, self.atol)

    def explains(self, value: Tensor, fitted: int = 0) -> bool:
        """Whether a value is the actual one, and not by luck.

        Luck is ruled out by counting: each independent wrong value that agrees to d digits is a
        coincidence of 1 in 10**d; each number that was fitted to the pair uses one value up.
        """
        if value.shape != self.actual.shape or not self._agrees_at_places(value) or self.is_right:
            return False
        value = value.detach().to("cpu", torch.float64)
        if (self.actual - value).abs().max().item() > self._farthest:
            return False
        # Ten times: the mistake may round otherwise than the way in which the guess was computed.
        rough = 1e-6 * max(self.scale, _largest(value)) if self.rtol or self.atol else 0.0
        limit = rough + 10 * (self.atol + self.rtol * value.abs())
        same = ((self.actual - value).abs() <= limit) & value.isfinite()
        same |= (self.actual == value) | (self.actual.isnan() & value.isnan())
        return bool(same.all()) and self._digits(value, fitted) >= DIGITS

    def _agrees_at_places(self, value: Tensor) -> bool:
        """Whether a value of a large tensor may explain the actual one, judged by some of its places."""
        if self.actual.numel() <= 4 * PLACES:
            return True
        step = self.actual.numel() // PLACES
        index = np.unravel_index(np.arange(0, self.actual.numel(), step), tuple(self.actual.shape))
        got, wanted = value[index].double(), self.actual[index]
        largest = max(_largest(got), _largest(wanted))
        far = (got - wanted).abs() > 10 * (self.atol + self.rtol * largest) + 1e-5 * largest
        return not bool(far.any())

    def _digits(self, value: Tensor, fitted: int) -> float:
        if self.is_binary:
            each = self.digits_of_a_place or DIGITS_OF_A_BOOL
            return each * self.actual.numel() if int(self.out.sum()) > 1 else 0.0
        if self.digits_of_a_place is not None and self.rtol == self.atol == 0:
            return self.digits_of_a_place * (int(self.out.sum()) - fitted)
        wrong, aim, got = self.actual[self.out], self.expected[self.out], value[self.out]
        finite = wrong.isfinite() & aim.isfinite() & got.isfinite()
        odd = DIGITS_OF_A_BOOL * int((~finite).sum())
        step = -(-wrong.numel() // SAMPLE)
        wrong, aim, got = (x[finite][::step] for x in (wrong, aim, got))
        if not wrong.numel():
            return odd
        off = (wrong - got).square().mean().sqrt() + 1e-7 * self.scale + 1e-300
        each = ((wrong - aim).abs() / off).log10().clamp(0, MOST_DIGITS).median().item()
        unit = 1e-4 * max(_largest(wrong), _largest(aim)) or 1.0
        pairs = (torch.stack([wrong, aim]) / unit).round()
        return float(odd + each * (torch.unique(pairs, dim=1).shape[1] - fitted))


def _largest(values: Tensor) -> float:
    finite = values[values.isfinite()]
    return finite.abs().max().item() if finite.numel() else 0.0


def compute(function: Callable[..., Tensor] | None, arguments: Mapping[str, object]) -> Tensor | None:
    """What a function of the author gives, in float64; None if there is none, or it cannot."""
    if function is None:
        return None
    try:
        value: object = function(**arguments)
    # It was not written for such arguments: then there is no such hypothesis.
    except Exception:
        return None
    return value.detach().to("cpu", torch.float64) if isinstance(value, Tensor) else None
