"""Hypotheses about NaN, infinity, and digits that large inputs cost."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor

from tensorgrade.checks.diagnosis.case import Case, Cause, Diagnosis, Guess, guess
from tensorgrade.checks.diagnosis.masks import the_mask
from tensorgrade.checks.diagnosis.rows import wrong_slices

# exp overflows float32 above 88.7 and gives 0 below -103; float64 and its differences need more.
LARGE = 80.0
# Where a sigmoid in float32 is 1.
SATURATED = 15.0
OVERFLOW = (
    "Some values are NaN or infinite because the inputs are large: exp of a large number overflows. "
    "Reread: subtracting the maximum before exp, log_softmax, logsumexp."
)
UNDERFLOW = (
    "Some values are infinite because a probability became 0 before its logarithm was taken. "
    "Reread: log_softmax, logsumexp."
)
DIGITS_LOST = (
    "The result loses its digits where the inputs are large. "
    "Reread: the stable form (log_softmax, logsumexp, the mean subtracted before squaring)."
)
WHERE_LARGE = (
    "The result is right for small inputs and wrong only where they are large. "
    "Reread: what large numbers do to your computation; is a constant such as -10000 or a clamp enough?"
)
BOUNDED = (
    "A small number inside the logarithm bounds the result, so that large losses are wrong. "
    "Reread: log_softmax, logsumexp, logsigmoid."
)
BLIND = (
    "The rows in which the mask allows nothing are NaN or infinite. "
    "Reread: the softmax of a row that is all -inf (0 / 0)."
)


def odd_values(case: Case) -> Iterator[Diagnosis]:
    """NaN or infinity where a number is expected."""
    odd = ~case.actual.isfinite() & case.out
    if not odd.any():
        return
    if _inputs_are_large(case, odd) or _is_saturated(case, odd):
        yield Diagnosis(Cause.UNSTABLE, OVERFLOW)
    if (case.actual[odd] == math.inf).all() and (case.expected[odd] > LARGE).all():
        yield Diagnosis(Cause.UNSTABLE, OVERFLOW)
    if (case.actual[odd] == -math.inf).all() and (case.expected[odd] < -LARGE).all():
        yield Diagnosis(Cause.UNSTABLE, UNDERFLOW)
    mask = the_mask(case)
    if mask is not None and _is_blind(odd, mask):
        yield Diagnosis(Cause.NOT_FINITE, BLIND)
    yield Diagnosis(Cause.NOT_FINITE, _say_where(case, odd))


def _inputs_are_large(case: Case, where: Tensor) -> bool:
    """Whether an input is large, in all wrong slices where it has the same axes as the value."""
    for tensor in case.facts.inputs.values():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            continue
        large = (tensor.abs() > LARGE) & tensor.isfinite()
        if not large.any():
            continue
        if large.dim() and where.dim() and large.shape[0] == where.shape[0]:
            return bool(wrong_slices(large, 0)[wrong_slices(where, 0)].all())
        return True
    return False


def _is_saturated(case: Case, odd: Tensor) -> bool:
    """Whether the value is odd exactly where an input of its shape is so large that a sigmoid is 0 or 1."""
    for tensor in case.facts.inputs.values():
        if not isinstance(tensor, Tensor) or tensor.shape != odd.shape or odd.all():
            continue
        size = tensor.abs()
        if size[odd].min() > SATURATED and (size[odd].min() > size[~odd].max() or size.median() > SATURATED):
            return True
    return False


def _is_blind(odd: Tensor, mask: Tensor) -> bool:
    blind = ~mask.any(-1, keepdim=True)
    try:
        hidden = blind.expand(odd.shape)
    except RuntimeError:
        return False
    return bool(hidden.any()) and not bool((odd & ~hidden).any())


def _say_where(case: Case, odd: Tensor) -> str:
    reread = "Reread: division by 0, log of 0, 0 times infinity."
    if odd.all():
        return f"No value is finite. {reread}"
    kind = (
        "NaN" if case.actual[odd].isnan().all() else "infinite" if case.actual[odd].isinf().all() else "NaN or infinite"
    )
    for axis in range(odd.dim()):
        rows = wrong_slices(odd, axis)
        if not rows.all():
            first = int(rows.nonzero()[0])
            return f"The first value that is {kind} is in entry {first} along axis {axis}. {reread}"
    return f"Values in every row and column are {kind}. {reread}"


def unstable_values(case: Case) -> Iterator[Guess | Diagnosis]:
    """A logarithm with a bound, and what else is wrong only because the inputs are large."""
    if case.is_right:
        return
    for eps in (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4):
        for sign in (1, -1):
            p = (sign * case.expected).exp()
            for bounded in (p + eps, p.clamp(min=eps)):
                yield guess(sign * bounded.log(), Cause.UNSTABLE, BOUNDED)
    for tensor in case.facts.inputs.values():
        if isinstance(tensor, Tensor) and tensor.is_floating_point() and _has_a_large_offset(tensor):
            yield Diagnosis(Cause.UNSTABLE, DIGITS_LOST)
        if isinstance(tensor, Tensor) and tensor.is_floating_point() and _is_wrong_where_large(case.out, tensor):
            yield Diagnosis(Cause.UNSTABLE, WHERE_LARGE)


def _is_wrong_where_large(out: Tensor, tensor: Tensor) -> bool:
    """Whether the wrong slices are those in which an input is large, by far larger than in the right ones."""
    if not out.dim() or tensor.dim() < out.dim() or tensor.shape[0] != out.shape[0] or not tensor.numel():
        return False
    axis = max(out.dim() - 2, 0)
    if tensor.shape[axis] != out.shape[axis]:
        return False
    wrong = wrong_slices(out, axis)
    others = tuple(other for other in range(tensor.dim()) if other != axis)
    size = tensor.abs().amax(others) if others else tensor.abs()
    if wrong.all() or not wrong.any():
        return False
    return bool(size[wrong].min() > max(LARGE, 2 * size[~wrong].max().item()))


def _has_a_large_offset(tensor: Tensor) -> bool:
    """Whether the values lie far from 0 and close together: their squares have no digits left for the difference."""
    wide = tensor.detach().double()
    axes = [axis for axis in range(wide.dim()) if wide.shape[axis] > 1]
    return any(
        bool((wide.mean(axis).abs() > max(LARGE, 300.0) * wide.std(axis).clamp(max=1.0)).any())
        and wide.abs().max() > LARGE
        for axis in axes
    )
