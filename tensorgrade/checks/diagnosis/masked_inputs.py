"""Hypotheses about the mask among the arguments; tested with the author's reference."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tensorgrade.checks.diagnosis.case import Case, Cause, Guess, guess
from tensorgrade.checks.diagnosis.masks import AFTER, IGNORED, INVERTED, MEANING, SHIFTED, shifted_masks, the_mask

EITHER = (
    "What the mask forbids is let through: it has no effect, or is the wrong way round. "
    "Reread: whether True means `may look` or `is hidden`."
)
RENORMALISED = (
    "The weights are masked after the softmax and divided by their sum, which fails where the allowed ones are "
    "tiny. Reread: masked_fill with -inf in front of the softmax."
)


def altered_masks(case: Case) -> Iterator[Guess]:
    """The right formula with another mask, or with the mask in another place."""
    name, allowed = case.facts.mask, the_mask(case)
    if name is None or allowed is None or not case.is_reproducible:
        return
    given = case.facts.inputs[name]
    assert isinstance(given, Tensor)  # noqa: S101  the_mask has looked
    free = case.recompute(**{name: None})
    if free is None:
        free = case.recompute(**{name: _like(given, torch.ones_like(allowed))})
    if free is not None:
        inverted = case.recompute(**{name: _like(given, ~allowed)})
        is_either = inverted is not None and inverted.shape == free.shape and bool(case.near(inverted, free).all())
        yield guess(free, Cause.MASK_IGNORED, EITHER if is_either else IGNORED)
        yield from _applied_late(case, name, allowed, free)
    for flags, cause, hint in _other_masks(name, allowed):
        value = case.recompute(**{name: _like(given, flags)})
        if value is not None:
            yield guess(value, cause, hint)


def _other_masks(name: str, allowed: Tensor) -> Iterator[tuple[Tensor, Cause, str]]:
    yield ~allowed, Cause.MASK_INVERTED, INVERTED + MEANING
    if allowed.dim() > 1 and allowed.shape[-1] == allowed.shape[-2]:
        text = f"The last two axes of `{name}` are swapped. Reread: which axis holds the queries, which the keys."
        yield allowed.mT, Cause.INPUT_AXIS, text
    for axis, flags in shifted_masks(allowed):
        yield flags, Cause.MASK_OFF_BY_ONE, SHIFTED.format(axis)


def _like(given: Tensor, flags: Tensor) -> Tensor:
    """Flags in the form of the given mask: bool, 0 and 1, or 0 and a large negative value."""
    if given.dtype == torch.bool:
        return flags
    if bool(((given == 0) | (given == 1)).all()) and bool((given == 1).any()):
        return flags.to(given.dtype)
    return torch.zeros_like(given).masked_fill(~flags, given.min().item())


def _applied_late(case: Case, name: str, allowed: Tensor, free: Tensor) -> Iterator[Guess]:
    """The mask multiplies what came out without it, or the weights in front of the last product."""
    for weights, last in ((free, None), *_last_products(case, name)):
        if weights.shape[-1] != allowed.shape[-1]:
            continue
        late = weights * allowed
        again = late / late.sum(-1, keepdim=True)
        yield guess(late if last is None else late @ last, Cause.MASK_AFTER_SOFTMAX, AFTER)
        yield guess(again if last is None else again @ last, Cause.UNSTABLE, RENORMALISED)


def _last_products(case: Case, name: str) -> Iterator[tuple[Tensor, Tensor]]:
    """The weights without a mask, beside the input that they average: for a value that is `weights @ input`."""
    for other, last in case.facts.inputs.items():
        if not isinstance(last, Tensor) or last.dim() < 2 or not last.is_floating_point():
            continue
        length = last.shape[-2]
        # Averaging unit vectors gives the weights themselves.
        identity = torch.eye(length, dtype=last.dtype).expand(*last.shape[:-1], length)
        masked = case.recompute(**{other: identity})
        free = case.recompute(**{other: identity, name: None})
        if masked is None or free is None or masked.shape[-1] != length:
            continue
        if case.agrees(masked @ last.double()):
            yield free, last.double()
