"""Properties of a function under a change of its whole input: reordered, moved, added up."""

from __future__ import annotations

from typing import Unpack

import torch
from torch import Tensor

from tensorgrade.checks.results import Closeness, Function, Inputs, Probe, as_tuple, length_along
from tensorgrade.errors import CheckFailure


def assert_permutation_equivariant(
    f: Function, inputs: Inputs, *, rng: torch.Generator, axis: int = 1, **closeness: Unpack[Closeness]
) -> None:
    """Check that reordering the input along an axis reorders the result along that axis in the same way.

    Args:
        f: takes the inputs and returns one tensor. What stays as it is belongs into a lambda.
        inputs: a tensor, or several that are reordered together, of two entries or more along the axis.
        rng: draws the new order.
        axis: of the inputs and of the result; count from the end where their numbers of axes differ.
        closeness: `rtol`, `atol` and `name`, see `Closeness`.

    Raises:
        CheckFailure: the result is not a finite tensor, is reordered otherwise, or is the same for every order.
        ValueError: the inputs do not have one size along the axis.

    Source: f(P x) = P f(x); Zaheer et al., Deep Sets, 2017, section 2.
    """
    probe, arguments = Probe(f, closeness), as_tuple(inputs)
    order = _another_order(length_along(arguments, axis, least=2), rng)
    straight = probe.result(*arguments)
    moved = probe.result(*(value.index_select(axis, order) for value in arguments))
    _require_size(straight, axis, len(order), probe.name)
    hint = (
        f"When the entries along axis {axis} of the input are put in another order, those of {probe.name} do not "
        "follow. Is the position of an entry used, or does a reshape mix two axes?"
    )
    probe.require_same(moved, straight.index_select(axis, order), hint)
    probe.require_effect(probe.difference(moved, straight) is not None, f"the entries along axis {axis} are reordered")


def assert_permutation_invariant(
    f: Function, inputs: Inputs, *, rng: torch.Generator, axis: int = 1, **closeness: Unpack[Closeness]
) -> None:
    """Check that reordering the input along an axis leaves the result as it is.

    Args:
        f: takes the inputs and returns one tensor. What stays as it is belongs into a lambda.
        inputs: a tensor, or several that are reordered together, of two entries or more along the axis.
        rng: draws the new order.
        axis: of the inputs.
        closeness: `rtol`, `atol` and `name`, see `Closeness`.

    Raises:
        CheckFailure: the result is not a finite tensor, depends on the order, or on nothing: it is also the same
            when all entries are like the first one.
        ValueError: the inputs do not have one size along the axis.

    Source: f(P x) = f(x); Zaheer et al., Deep Sets, 2017, section 2.
    """
    probe, arguments = Probe(f, closeness), as_tuple(inputs)
    order = _another_order(length_along(arguments, axis, least=2), rng)
    straight = probe.result(*arguments)
    moved = probe.result(*(value.index_select(axis, order) for value in arguments))
    hint = (
        f"{probe.name} changes when the entries along axis {axis} of the input are put in another order. "
        "Does it use the position of an entry, or only the first or last one?"
    )
    probe.require_same(moved, straight, hint)
    alike = probe.result(*(value.index_select(axis, torch.zeros_like(order)) for value in arguments))
    probe.require_effect(probe.difference(alike, straight) is not None, f"the entries along axis {axis} are others")


def assert_translation_equivariant(
    f: Function,
    x: Tensor,
    *,
    axis: int = -1,
    shift: int | tuple[int, int] = 1,
    margin: int | None = None,
    **closeness: Unpack[Closeness],
) -> None:
    """Check that moving the input along an axis moves the result by as much, as a convolution does.

    Args:
        f: takes `x` and returns one tensor.
        x: any shape, such as (batch, channels, height, width).
        axis: of the input and of the result.
        shift: by how many entries the input is moved, around its end; for a layer of stride 2, (2, 1): then the
            result moves by 1.
        margin: entries at both ends of the result that see padding, half the width of the kernel say; they are
            not compared. None: none does, the layer wraps around as well.
        closeness: `rtol`, `atol` and `name`, see `Closeness`.

    Raises:
        CheckFailure: the result is not a finite tensor, moves otherwise, does not move at all, or is so short that
            the margin leaves nothing of it to compare.

    Source: f(T x) = T f(x); Goodfellow et al., Deep Learning, 2016, section 9.2.
    """
    probe = Probe(f, closeness)
    by, follows = (shift, shift) if isinstance(shift, int) else shift
    straight, moved = probe.result(x), probe.result(x.roll(by, axis))
    _require_size(straight, axis, None, probe.name)
    expected, start, stop = straight.roll(follows, axis), 0, straight.shape[axis]
    if margin is not None:
        start, stop = margin + max(follows, 0), stop - margin + min(follows, 0)
    if start >= stop:
        text = f"{probe.name} is too short along axis {axis}."
        raise CheckFailure(f"{text} Shape {tuple(straight.shape)}, nothing left inside of the margin {margin}", text)
    moved, expected, straight = (one.narrow(axis, start, stop - start) for one in (moved, expected, straight))
    hint = (
        f"When the input moves by {by} along axis {axis}, {probe.name} does not move by {follows}. "
        "Are the same weights used at every position, and is the stride right?"
    )
    probe.require_same(moved, expected, hint)
    probe.require_effect(probe.difference(moved, straight) is not None, f"the input moves along axis {axis}")


def assert_linear(f: Function, x: Tensor, *, rng: torch.Generator, **closeness: Unpack[Closeness]) -> None:
    """Check that a function is linear: sums and multiples of inputs give sums and multiples of results.

    Args:
        f: takes `x` and returns one tensor.
        x: floating point, any shape.
        rng: draws a second input.
        closeness: `rtol`, `atol` and `name`, see `Closeness`.

    Raises:
        CheckFailure: the result is not a finite tensor, is not linear in `x` (a constant is added, say), or is 0.

    Source: f(a x + b y) = a f(x) + b f(y) for all numbers a and b.
    """
    probe = Probe(f, closeness)
    y = torch.randn(x.shape, generator=rng, dtype=x.dtype)
    of_zero, of_x, of_y = (probe.result(value) for value in (torch.zeros_like(x), x, y))
    mixed = probe.result(0.75 * x - 1.5 * y)
    size = max((value.double().abs().max().item() for value in (of_x, of_y) if value.numel()), default=1.0)
    probe.require_same(
        of_zero,
        torch.zeros_like(of_zero),
        f"{probe.name} is not 0 for an input of zeros. A linear function adds no constant: is there a bias?",
        size,
    )
    hint = (
        f"{probe.name} is not linear: for a x + b y it is not a times that for x plus b times that for y. Is there "
        "an activation, a normalisation, or a product of the input with itself?"
    )
    probe.require_same(mixed, (0.75 * of_x.double() - 1.5 * of_y.double()).to(of_x.dtype), hint, size)
    probe.require_effect(probe.difference(of_x, of_zero) is not None, "the input is no longer 0")


def _another_order(size: int, rng: torch.Generator) -> Tensor:
    """A random order that is not the usual one."""
    order = torch.randperm(size, generator=rng)
    return order.roll(1) if torch.equal(order, torch.arange(size)) else order


def _require_size(result: Tensor, axis: int, size: int | None, name: str) -> None:
    """Fail if a result lacks the axis, or has another size along it."""
    has_axis = -result.dim() <= axis < result.dim()
    if not has_axis or size not in (None, result.shape[axis]):
        text = f"{name} must have an axis {axis}" + (f" of size {size}, as the input has." if size else ".")
        raise CheckFailure(f"{text} Its shape is {tuple(result.shape)}", text)
