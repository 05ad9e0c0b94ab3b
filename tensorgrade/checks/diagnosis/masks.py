"""Hypotheses about masks: a mask that is the value, and a mask that acts on the value."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from tensorgrade.checks.diagnosis.case import Case, Cause, Diagnosis, Guess, guess

INVERTED = "The mask is the wrong way round: what it forbids is let through, and the reverse. "
MEANING = "Reread: whether True means `may look` or `is hidden`."
SHIFTED = "The mask is off by one along axis {}: a neighbour too many or too few. Reread: `<` or `<=`, `diagonal=`."
IGNORED = "The mask has no effect here. Reread: where the mask enters the computation."
AFTER = (
    "The mask acts after the softmax, so that the rows no longer sum to 1. "
    "Reread: masked_fill with -inf, and the order of mask and softmax."
)
SOFT = (
    "The mask acts too weakly: what is forbidden keeps some weight. "
    "Reread: masked_fill with -inf, and what adding a bool does."
)


def expected_masks(case: Case) -> Iterator[Guess]:
    """The value is itself a mask, or is 0 and -inf: inverted, transposed, off by one."""
    if case.facts.mask is not None:
        return  # then it is an input
    low = _low_value(case.expected)
    if low is None or _is_one_hot(case.expected):
        return
    high = 1.0 if low == 0.0 else 0.0
    allowed = case.expected == high

    def mask(flags: Tensor) -> Tensor:
        return torch.where(flags, high, low)

    yield guess(mask(~allowed), Cause.MASK_INVERTED, INVERTED + MEANING)
    if allowed.dim() > 1 and allowed.shape[-1] == allowed.shape[-2]:
        text = "The last two axes of the mask are swapped. Reread: which axis holds the queries, which the keys."
        yield guess(mask(allowed.mT), Cause.TRANSPOSED, text)
    for axis, flags in shifted_masks(allowed):
        yield guess(mask(flags), Cause.MASK_OFF_BY_ONE, SHIFTED.format(axis))
    for _, flags in shifted_masks(~allowed):
        yield guess(mask(flags), Cause.MASK_INVERTED, f"{INVERTED}It is off by one too. {MEANING}")


def _is_one_hot(expected: Tensor) -> bool:
    """Whether each row holds a single 1, as a class does."""
    return expected.dim() > 0 and bool((expected.sum(-1) == 1).all())


def _low_value(expected: Tensor) -> float | None:
    """What a forbidden place holds, if the value is a mask: 0 beside 1, or -inf (or -1e9) beside 0."""
    if not expected.numel():
        return None
    low, high = expected.min().item(), expected.max().item()
    if low == high or not ((expected == low) | (expected == high)).all():
        return None
    if (low, high) == (0.0, 1.0):
        return 0.0
    return low if high == 0.0 and low <= -1e4 else None


def shifted_masks(allowed: Tensor) -> Iterator[tuple[int, Tensor]]:
    """By axis, masks that differ by one step: moved either way, one wider, one narrower."""
    axes = [axis for axis in range(allowed.dim()) if allowed.shape[axis] > 1]
    for axis in reversed(axes):
        for fill in (False, True):
            left, right = (_shift(allowed, axis, step, fill=fill) for step in (-1, 1))
            for flags in (left, right, allowed | left | right, allowed & left & right):
                # Along an axis on which it does not depend a mask can be moved without a change.
                if not torch.equal(flags, allowed):
                    yield axis, flags
    for axis in reversed(axes):
        for step in (-1, 1):
            if not torch.equal(flags := allowed.roll(step, axis), allowed):
                yield axis, flags


def _shift(flags: Tensor, axis: int, step: int, *, fill: bool) -> Tensor:
    moved = flags.roll(step, axis)
    edge = 0 if step > 0 else flags.shape[axis] - 1
    return moved.index_fill(axis, torch.tensor([edge]), fill)


def the_mask(case: Case) -> Tensor | None:
    """The mask among the inputs, as bool; a float mask allows where it is above a large negative value."""
    mask = case.facts.inputs.get(case.facts.mask or "")
    if not isinstance(mask, Tensor):
        return None
    if mask.dtype == torch.bool:
        return mask
    binary = bool(((mask == 0) | (mask == 1)).all())
    return mask != 0 if binary else mask > -1e4


def masked_values(case: Case) -> Iterator[Guess | Diagnosis]:
    """A mask that acts on the value: what a place holds that is forbidden."""
    mask = the_mask(case)
    if mask is None:
        # The zeros of a distribution are what its mask hides.
        if not (case.expected > 0).all() and (case.expected >= 0).all() and not case.is_binary:
            yield from _weights(case, case.expected > 0)
        return
    yield from _other_counts(case, mask)
    try:
        allowed = mask.expand(case.expected.shape)
    except RuntimeError:
        return
    if not allowed.all() and _is_blank(case.expected, ~allowed):
        yield from _leaks(case, allowed)


def _is_blank(values: Tensor, where: Tensor) -> bool:
    held = values[where]
    return bool((held == 0).all()) or bool((held == -math.inf).all())


def _leaks(case: Case, allowed: Tensor) -> Iterator[Guess | Diagnosis]:
    """The expected value is blank where the mask is False: is the actual one, and is it right elsewhere?"""
    actual = case.actual
    is_distribution = bool((case.expected >= 0).all()) and bool((actual >= -1e-6).all())
    if _is_blank(actual, allowed) and not _is_blank(actual, ~allowed):
        yield Diagnosis(Cause.MASK_INVERTED, INVERTED + MEANING)
    if not is_distribution:
        if case.near(actual, case.expected)[allowed].all():
            yield Diagnosis(Cause.MASK_IGNORED, IGNORED)
        return
    yield from _weights(case, allowed)


def _weights(case: Case, allowed: Tensor) -> Iterator[Guess | Diagnosis]:
    actual, expected = case.actual, case.expected
    for axis in range(expected.dim()):
        total, sums = expected.sum(axis), actual.sum(axis)
        used = total > 0
        if not used.any() or not ((total - 1).abs() < 1e-4)[used].all() or expected.shape[axis] < 2:
            continue
        if _is_blank(actual, allowed) and (actual[~allowed] != 0).any():
            yield Diagnosis(Cause.MASK_INVERTED, INVERTED + MEANING)
        ratio = expected * sums.unsqueeze(axis)
        if (sums[used] < 1 - 1e-4).any() and _is_blank(actual, ~allowed):
            yield guess(ratio, Cause.MASK_AFTER_SOFTMAX, AFTER, fitted=int(used.sum()))
        # Left out afterwards and divided by its sum, a softmax over everything is the right one.
        held = actual.masked_fill(~allowed, 0.0)
        weights = held.sum(axis, keepdim=True)
        again = held / weights.clamp(min=1e-30)
        whole = ((sums - 1).abs() < 1e-4)[used].all()
        leaked = actual.masked_fill(allowed, 0.0).sum(axis)[used]
        is_whole = bool((actual > 0).all()) and whole
        if is_whole and (leaked > 1e-4).any() and case.near(again, expected, times=10.0)[allowed].all():
            yield Diagnosis(Cause.MASK_IGNORED, IGNORED)
        support = actual > 0
        if whole and any(torch.equal(flags, support) for _, flags in shifted_masks(allowed)):
            yield Diagnosis(Cause.MASK_OFF_BY_ONE, SHIFTED.format(axis))


def _other_counts(case: Case, mask: Tensor) -> Iterator[Guess]:
    """A mean over what the mask allows, divided by another number."""
    count = mask.sum(-1)
    while count.dim() > case.expected.dim() and count.shape[-1] == 1:
        count = count.squeeze(-1)
    total = mask.shape[-1]
    if count.shape != case.expected.shape[: count.dim()] or (count == total).all():
        return
    count = count.reshape(*count.shape, *[1] * (case.expected.dim() - count.dim())).double()
    text = "The sum over what the mask allows is divided by {}. Reread: the mean over a masked axis."
    yield guess(case.expected * count / total, Cause.REDUCTION, text.format("the whole length, hidden places included"))
    yield guess(case.expected * count, Cause.REDUCTION, text.format("nothing, a sum in the place of a mean"))
