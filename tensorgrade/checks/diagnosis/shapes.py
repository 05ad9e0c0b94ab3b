"""Hypotheses about shape and dtype: what mends them, and whether the values are right then."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain, permutations

import torch
from torch import Tensor

from tensorgrade.checks.diagnosis.arguments import altered_numbers
from tensorgrade.checks.diagnosis.axes import name_axes
from tensorgrade.checks.diagnosis.case import Case, Cause, Diagnosis, Guess, guess
from tensorgrade.checks.diagnosis.tensors import altered_tensors

MOST_AXES = 4
Mended = tuple[Tensor, str, str]
# Every hypothesis passes over all values.
LARGEST = 1 << 22
SHAPES = "`.shape` after each step"
RIGHT = "The values are right then."


def diagnose_shape(case: Case) -> Diagnosis:
    """What mends the shape: first what mends the values too, then what fits the shape alone."""
    shape = case.expected.shape
    if max(case.actual.numel(), case.expected.numel()) > LARGEST:
        return Diagnosis(Cause.SHAPE, f"{_say_axes(case.actual, case.expected)} Reread: {SHAPES}.")
    mended = [one for one in _mends(case.actual, case.expected) if one[0].shape == shape]
    for value, words, reread in mended:
        if _is_telling(case) and case.agrees(value):
            return Diagnosis(Cause.SHAPE, f"{words} {RIGHT} Reread: {reread}.")
    for other in chain(altered_numbers(case), altered_tensors(case)):
        if _is_the_same(case.actual, other.value):
            return other.diagnosis
    if mended:
        _, words, reread = mended[0]
        return Diagnosis(Cause.SHAPE, f"{words} Reread: {reread}.")
    return Diagnosis(Cause.SHAPE, f"{_say_axes(case.actual, case.expected)} Reread: {SHAPES}.")


def _is_telling(case: Case) -> bool:
    """Whether agreement in the values says something: they vary, and the tolerance is finite."""
    return case.expected.numel() > 0 and case.atol < math.inf and (case.expected.dim() == 0 or not _is_constant(case))


def _is_constant(case: Case) -> bool:
    first = case.expected.flatten()[0]
    return bool(case.near(case.expected, first).all())


def _is_the_same(actual: Tensor, value: Tensor) -> bool:
    """Whether an altered input gives the actual value, shape and all; a few values could do so by luck."""
    if actual.shape != value.shape or torch.unique(actual).numel() < 4:
        return False
    return torch.allclose(actual, value, rtol=1e-4, atol=1e-5)


def _say_axes(actual: Tensor, expected: Tensor) -> str:
    """What is certain of two shapes that no single step turns into each other."""
    more = actual.dim() - expected.dim()
    if more:
        return f"There {'are too many' if more > 0 else 'are too few'} axes."
    axes = [axis for axis in range(actual.dim()) if actual.shape[axis] != expected.shape[axis]]
    words = " and ".join(f"axis {axis}" for axis in axes)
    if all(actual.shape[axis] < expected.shape[axis] for axis in axes):
        part = expected
        for axis in axes:
            part = part.narrow(axis, 0, actual.shape[axis])
        begun = " What is there is right." if actual.numel() and torch.equal(part.float(), actual.float()) else ""
        return f"The last entries along {words} are missing.{begun}" if begun else f"Too short along {words}."
    return f"The length is wrong along {words}."


def _mends(actual: Tensor, expected: Tensor) -> Iterator[Mended]:
    yield from _axes_of_length_one(actual, expected)
    yield from _permuted(actual)
    if actual.numel() == expected.numel():
        text = "The values must be given another shape, in their order."
        yield actual.reshape(expected.shape), text, "reshape and flatten"
    yield from _not_reduced(actual, expected)
    yield from _broadcast(actual, expected)
    yield from _cut(actual, expected)


def _axes_of_length_one(actual: Tensor, expected: Tensor) -> Iterator[Mended]:
    if actual.dim() > expected.dim():
        for axis in range(actual.dim()):
            if actual.shape[axis] == 1:
                text = f"An axis of length 1 is left over (axis {axis})."
                yield actual.squeeze(axis), text, "keepdim and squeeze"
        yield actual.squeeze(), "Axes of length 1 are left over.", "keepdim and squeeze"
    elif actual.dim() < expected.dim():
        for axis in range(actual.dim() + 1):
            text = f"An axis of length 1 is missing (axis {axis})."
            yield actual.unsqueeze(axis), text, "keepdim and unsqueeze"


def _permuted(actual: Tensor) -> Iterator[Mended]:
    if not 2 <= actual.dim() <= MOST_AXES:
        return
    axes = range(actual.dim())
    for order in sorted(permutations(axes), key=lambda order: sum(a != b for a, b in zip(order, axes, strict=True))):
        moved = [axis for axis in axes if order[axis] != axis]
        if len(moved) == 2:
            words = name_axes(moved[0], moved[1], actual.dim())
            yield actual.permute(order), f"{words[0].upper()}{words[1:]} are swapped.", "transpose"
        elif moved:
            yield actual.permute(order), f"The axes stand in another order; permute{order} mends it.", "permute"


def _not_reduced(actual: Tensor, expected: Tensor) -> Iterator[Mended]:
    if actual.dim() < expected.dim():
        return
    for words, reduce in (("sum", torch.sum), ("mean", torch.mean), ("maximum", torch.amax)):
        if expected.dim() == 0 and actual.numel():
            yield (
                reduce(actual, dim=tuple(range(actual.dim()))),
                f"The {words} over all values is missing.",
                f"{words} and `reduction=`",
            )
        for axis in range(actual.dim() if actual.numel() else 0):
            for keepdim in (False, True):
                value = reduce(actual, dim=axis, keepdim=keepdim)
                yield value, f"The {words} along axis {axis} is missing.", "`dim` and `keepdim`"


def _broadcast(actual: Tensor, expected: Tensor) -> Iterator[Mended]:
    if actual.dim() == 2 and actual.shape[0] == actual.shape[1] and expected.numel() == actual.shape[0]:
        text = "A column met a row and was broadcast to a table; the values stand on its diagonal."
        yield actual.diagonal().reshape(expected.shape), text, "broadcasting of shapes (N,) and (N, 1)"
    try:
        spread = actual.expand(expected.shape)
    except RuntimeError:
        return
    yield spread, "The values are given once; they must be repeated to the full shape.", "expand and broadcasting"


def _cut(actual: Tensor, expected: Tensor) -> Iterator[Mended]:
    """One entry too many along an axis."""
    if actual.dim() != expected.dim():
        return
    for axis in range(actual.dim()):
        length = expected.shape[axis]
        if actual.shape[axis] == length + 1:
            for start, words in ((0, "last"), (1, "first")):
                text = f"There is one entry too many along axis {axis}, the {words}."
                yield actual.narrow(axis, start, length), text, "where ranges and slices end"


def diagnose_dtype(actual: Tensor, expected: Tensor, case: Case) -> Diagnosis | None:
    """Another kind of dtype, with whether the values would be right."""
    if _kind(actual) == _kind(expected):
        return None
    text = f"The values are {_kind(actual)}, {_kind(expected)} values are asked for."
    also = f" {RIGHT}" if case.agrees(case.actual) else ""
    if not also and not actual.is_floating_point() and expected.is_floating_point():
        also = " Digits after the point are lost."
    return Diagnosis(Cause.DTYPE, f"{text}{also} Reread: dtype, and which operations change it.")


def _kind(tensor: Tensor) -> str:
    return "bool" if tensor.dtype == torch.bool else "float" if tensor.is_floating_point() else "integer"


def lost_digits(case: Case) -> Iterator[Guess]:
    """The right values in a coarser dtype."""
    whole = "The values are cut to whole numbers. Reread: `/` against `//`, and integer dtypes."
    if (case.expected != case.expected.round()).any():
        for cut in (case.expected.trunc(), case.expected.floor(), case.expected.round()):
            yield guess(cut, Cause.DTYPE, whole)
    else:
        return
    for dtype in (torch.bfloat16, torch.float16, torch.float32):
        name = str(dtype).removeprefix("torch.")
        if case.rtol > 4 * torch.finfo(dtype).eps or not _is_rounded(case, dtype):
            continue
        text = f"The values are right to the digits of {name}, and no further. Keep the precision of the inputs."
        yield guess(case.actual, Cause.DTYPE, f"{text} Reread: dtype, float() and half().")


def _is_rounded(case: Case, dtype: torch.dtype) -> bool:
    """Whether the actual values are exact in a dtype, and as near to the expected ones as it allows."""
    stored = bool((case.actual.to(dtype).double() == case.actual).all())
    # Few binary digits, as 0.5 and 3 have, need no rounding.
    stored &= bool((case.actual * 16 != (case.actual * 16).round()).any())
    far = (case.actual - case.expected).abs() > 8 * torch.finfo(dtype).eps * max(case.scale, 1e-30)
    return stored and not bool(far.any())
