"""Properties that say what a result must not depend on: the future, other rows of the batch, the mode."""

from __future__ import annotations

from typing import Any, Unpack

import torch
from torch import Tensor

from tensorgrade.checks.closeness import assert_shape
from tensorgrade.checks.results import (
    Closeness,
    Function,
    Inputs,
    Probe,
    altered_inputs,
    as_tuple,
    length_along,
    narrowed,
)
from tensorgrade.errors import CheckFailure

CUTS, ROWS = 8, 16  # so many positions and rows are tried of a long input


def assert_causal(
    f: Function, inputs: Inputs, *, rng: torch.Generator, axis: int = 1, **closeness: Unpack[Closeness]
) -> None:
    """Check that what comes later in the input has no effect on what comes earlier in the result.

    The entries after each position (after eight positions of a long input) get other values, and the result up to
    and including that position must stay.

    Args:
        f: takes the inputs and returns one tensor. What stays as it is belongs into a lambda.
        inputs: a tensor, or several that change together, such as (batch, time, features) or token ids (batch,
            time): two entries or more along the axis, and values that are not all alike.
        rng: draws the other values, from those of the input.
        axis: the time axis, of inputs and result.
        closeness: `rtol`, `atol` and `name`, see `Closeness`.

    Raises:
        CheckFailure: the result is not a finite tensor, lacks the axis, depends on the future, or on nothing.
        ValueError: the inputs do not have one size along the axis.
    """
    probe, arguments = Probe(f, closeness), as_tuple(inputs)
    size = length_along(arguments, axis, least=2)
    before = probe.result(*arguments)
    if not -before.dim() <= axis < before.dim() or before.shape[axis] != size:
        text = f"{probe.name} must have an axis {axis} of size {size}, as the input has."
        raise CheckFailure(f"{text} Its shape is {tuple(before.shape)}", text)
    others = altered_inputs(arguments, rng)
    has_effect = False
    for cut in reversed(_spread(1, size - 1, CUTS)):  # many positions first: they tell a leak of one from one of all
        changed = (
            torch.cat([value.narrow(axis, 0, cut), other.narrow(axis, cut, size - cut)], axis)
            for value, other in zip(arguments, others, strict=True)
        )
        after = probe.result(*changed)
        hint = _leak_hint(probe, after, before, axis, cut)
        probe.require_same(after.narrow(axis, 0, cut), before.narrow(axis, 0, cut), hint)
        has_effect = has_effect or probe.difference(after, before) is not None
    changed_all = has_effect or probe.difference(probe.result(*others), before) is not None
    probe.require_effect(changed_all, "the input changes")


def assert_batch_independent(
    f: Function, inputs: Inputs, *, rng: torch.Generator, axis: int = 0, **closeness: Unpack[Closeness]
) -> None:
    """Check that each row of a batch is treated on its own: as beside other rows, so in a batch of one.

    Args:
        f: takes the inputs and returns one tensor with the batch axis. Batch normalisation must be in evaluation.
        inputs: a tensor, or several with the same batch axis: two rows or more, not all values alike.
        rng: draws the other rows, from the values of the input.
        axis: the batch axis, of inputs and result.
        closeness: `rtol`, `atol` and `name`, see `Closeness`.

    Raises:
        CheckFailure: the result is not a finite tensor with the batch axis, a row depends on other rows or on their
            number, or no row depends on anything.
        ValueError: the inputs do not have one size along the axis.
    """
    probe, arguments = Probe(f, closeness), as_tuple(inputs)
    size = length_along(arguments, axis, least=2)
    together = probe.result(*arguments)
    if not -together.dim() <= axis < together.dim() or together.shape[axis] != size:
        text = f"{probe.name} must have one entry for each of the {size} rows of the batch, along axis {axis}."
        raise CheckFailure(f"{text} Its shape is {tuple(together.shape)}", text)
    others = altered_inputs(arguments, rng)
    has_effect = False
    for row in _spread(0, size - 1, ROWS):
        mixed = probe.result(
            *(_with_row(other, value, axis, row) for value, other in zip(arguments, others, strict=True))
        )
        assert_shape(mixed, together.shape, name=probe.name)
        own = narrowed(together, axis, row, row + 1)
        hint = (
            f"Row {row} of {probe.name} changes when the other rows of the batch change. "
            "Is a mean, a maximum, a sum or a softmax taken over the batch axis?"
        )
        probe.require_same(narrowed(mixed, axis, row, row + 1), own, hint)
        has_effect = has_effect or probe.difference(mixed, together) is not None
        alone = probe.result(*(narrowed(value, axis, row, row + 1) for value in arguments))
        hint = (
            f"{probe.name} of a batch of one is not the same as that row in a larger batch. "
            "Does a squeeze drop the batch axis, or is something divided by the size of the batch?"
        )
        if alone.shape != own.shape:
            raise CheckFailure(f"batch of one: expected {tuple(own.shape)}, got {tuple(alone.shape)}", hint)
        probe.require_same(alone, own, hint)
    probe.require_effect(has_effect, "the input changes")


def assert_train_eval_agree(
    module: Any, inputs: Inputs, *, rng: torch.Generator, **closeness: Unpack[Closeness]
) -> None:
    """Check that a module computes the same in training as in evaluation; it is left in evaluation.

    Args:
        module: with `train()` and `eval()`; returns one tensor.
        inputs: of one call.
        rng: draws another input, from the values of the first.
        closeness: `rtol`, `atol` and `name`, see `Closeness`.

    Raises:
        CheckFailure: the result is not a finite tensor, differs between the modes, or from call to call in evaluation.
    """
    probe = Probe(module, closeness)
    evaluated, trained = _in_both_modes(probe, module, as_tuple(inputs), rng)
    hint = f"{probe.name} is not the same in training and in evaluation. Is there a dropout or a batch norm too many?"
    probe.require_same(trained, evaluated, hint)


def assert_train_eval_differ(
    module: Any, inputs: Inputs, *, rng: torch.Generator, **closeness: Unpack[Closeness]
) -> None:
    """Check that dropout or batch normalisation acts in training, and only there; the module is left in evaluation.

    In evaluation the result must not change from call to call, nor by a call with another input in between.

    Args:
        module: with `train()` and `eval()`; returns one tensor.
        inputs: of one call. Where dropout keeps each of n values with chance p, all are kept, and a right module
            fails, with chance p to the power of n: take many.
        rng: draws another input, from the values of the first.
        closeness: `rtol`, `atol` and `name`, see `Closeness`.

    Raises:
        CheckFailure: the result is not a finite tensor, is the same in both modes, or changes in evaluation.
    """
    probe = Probe(module, closeness)
    evaluated, trained = _in_both_modes(probe, module, as_tuple(inputs), rng)
    if probe.difference(trained, evaluated) is None:
        hint = (
            f"{probe.name} is the same in training and in evaluation. Does the module know its mode: are dropout and "
            "batch norm layers of it, or functions that are given self.training?"
        )
        raise CheckFailure("no difference between train() and eval()", hint)


def _leak_hint(probe: Probe, after: Tensor, before: Tensor, axis: int, cut: int) -> str:
    """Where the future shows in the past, and whether it is the next entry alone that does."""
    assert_shape(after, before.shape, name=probe.name)
    text = f"{probe.name} up to position {cut - 1} changes when only later positions of the input change. "
    earlier = cut - 1
    if cut > 1 and probe.difference(after.narrow(axis, 0, earlier), before.narrow(axis, 0, earlier)) is None:
        return f"{text}Only position {cut - 1} does: is a mask or a shift off by one?"
    return f"{text}Is a mask missing, inverted or transposed, or is a mean taken over the time axis?"


def _in_both_modes(
    probe: Probe, module: Any, arguments: tuple[Any, ...], rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The results in evaluation and in training; fails if evaluation is not the same from call to call."""
    module.train()
    trained = probe.result(*arguments)
    module.eval()
    evaluated = probe.result(*arguments)
    probe.result(*altered_inputs(arguments, rng))
    hint = (
        f"{probe.name} changes from call to call after module.eval(). Evaluation must draw nothing at random and "
        "keep nothing: does eval() reach every layer?"
    )
    probe.require_same(probe.result(*arguments), evaluated, hint)
    return evaluated, trained


def _with_row(others: Tensor, value: Tensor, axis: int, row: int) -> Tensor:
    """The other rows, but one row of the value."""
    mixed = others.clone()
    mixed.narrow(axis, row, 1).copy_(value.narrow(axis, row, 1))
    return mixed


def _spread(first: int, last: int, most: int) -> list[int]:
    """Whole numbers from the first to the last, both included, at most so many."""
    count = min(most, last - first + 1)
    return sorted({round(number) for number in torch.linspace(first, last, count).tolist()})
