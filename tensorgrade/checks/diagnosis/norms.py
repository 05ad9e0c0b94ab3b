"""Hypotheses that a softmax or a norm runs over another axis; read off the sums along each axis."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

from torch import Tensor

from tensorgrade.checks.diagnosis.case import Case, Cause, Diagnosis

DIM = "Reread: `dim` of softmax."
NORM = "The values are normalised along axis {}, they should be along axis {}. Reread: `dim` of mean and variance."


def wrong_softmax_axis(case: Case) -> Iterator[Diagnosis]:
    """The value (or its exponential) is a distribution along another axis than it should be."""
    if case.expected.dim() < 2 or case.is_right or case.is_binary:
        return
    for expected, actual in ((case.expected, case.actual), (case.expected.exp(), case.actual.exp())):
        if not _is_positive(expected) or not _is_positive(actual):
            continue
        right = [axis for axis in range(expected.dim()) if _sums_to_one(expected, axis)]
        wrong = [axis for axis in range(expected.dim()) if _sums_to_one(actual, axis)]
        if len(right) != 1 or right[0] in wrong:
            continue
        if wrong:
            text = f"The values sum to 1 along axis {wrong[0]}, they should along axis {right[0]}. {DIM}"
            yield Diagnosis(Cause.SOFTMAX_AXIS, text)
        # Over all axes together, or over two of them.
        for kept in range(expected.dim()):
            rest = tuple(axis for axis in range(expected.dim()) if axis != kept)
            if abs(actual.sum().item() - 1) < 1e-4 or ((actual.sum(rest) - 1).abs() < 1e-4).all():
                text = f"Several slices together sum to 1, each one along axis {right[0]} should. {DIM}"
                yield Diagnosis(Cause.SOFTMAX_AXIS, text)


def _is_positive(values: Tensor) -> bool:
    return bool((values >= -1e-6).all()) and bool((values > 0).any())


def _sums_to_one(values: Tensor, axis: int) -> bool:
    """Whether each slice sums to 1; slices that are 0 throughout are left out."""
    total = values.sum(axis)
    used = total[total.abs() > 1e-6]
    return values.shape[axis] > 1 and used.numel() > 1 and bool(((used - 1).abs() < 1e-4).all())


def wrong_norm_axis(case: Case) -> Iterator[Diagnosis]:
    """The value has mean 0 and variance 1, or length 1, along another axis than it should."""
    if case.expected.dim() < 2 or case.is_right or case.is_binary:
        return
    for expected, actual in _without_scale_and_shift(case):
        for measure in (_is_standardised, _has_length_one):
            axes = range(expected.dim())
            right = [axis for axis in axes if measure(expected, (axis,))]
            wrong = [axis for axis in axes if measure(actual, (axis,))]
            if len(right) == 1 and right[0] not in wrong:
                if wrong:
                    yield Diagnosis(Cause.INPUT_AXIS, NORM.format(wrong[0], right[0]))
                elif measure(actual, tuple(axes)):
                    text = f"All values are normalised together, each slice along axis {right[0]} should be. "
                    yield Diagnosis(Cause.INPUT_AXIS, f"{text}Reread: `dim` of mean and variance.")


def _without_scale_and_shift(case: Case) -> Iterator[tuple[Tensor, Tensor]]:
    yield case.expected, case.actual
    width = case.expected.shape[-1]
    inputs = [x.double() for x in case.facts.inputs.values() if isinstance(x, Tensor) and x.shape == (width,)]
    for scale, shift in permutations(inputs, 2):
        if (scale != 0).all():
            yield (case.expected - shift) / scale, (case.actual - shift) / scale
    for scale in inputs:
        if (scale != 0).all():
            yield case.expected / scale, case.actual / scale


def _is_standardised(values: Tensor, axes: tuple[int, ...]) -> bool:
    if any(values.shape[axis] < 3 for axis in axes):
        return False
    is_centred = bool((values.mean(axes).abs() < 1e-4).all())
    # 1 / n of the variance is what the choice between n and n - 1 makes.
    return is_centred and bool(((values.square().mean(axes) - 1).abs() < 1e-2).all())


def _has_length_one(values: Tensor, axes: tuple[int, ...]) -> bool:
    return values.shape[axes[0]] > 1 and bool(((values.square().sum(axes) - 1).abs() < 1e-4).all())
