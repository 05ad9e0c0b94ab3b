"""Hypotheses about tensors among the arguments: exchanged, left out, turned or scaled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import torch
from torch import Tensor

from tensorgrade.checks.diagnosis.axes import name_axes
from tensorgrade.checks.diagnosis.case import Case, Cause, Guess, guess
from tensorgrade.checks.diagnosis.scales import Factor, factors_of, sizes_of

MOST_FACTORS = 48
LEFT_OUT = "`{}` has no effect on your result. Reread: where `{}` enters the computation."
ENTERS = "Reread: the axes of `{}` in the task."


def altered_tensors(case: Case) -> Iterator[Guess]:
    """The right formula with other tensors."""
    tensors = {name: x for name, x in case.facts.inputs.items() if isinstance(x, Tensor)}
    if not tensors or not case.is_reproducible:
        return
    yield from _swapped(case, tensors)
    for name, tensor in tensors.items():
        if name != case.facts.mask:
            yield from _left_out(case, name, tensor)
    for name, tensor in tensors.items():
        yield from _turned(case, name, tensor)
    for name, one in tensors.items():
        yield from _replaced(case, name, one, tensors)
    yield from _scaled(case, {name: x for name, x in tensors.items() if x.is_floating_point()})


def _swapped(case: Case, tensors: dict[str, Tensor]) -> Iterator[Guess]:
    for one, other in combinations(tensors, 2):
        value = case.recompute(**{one: tensors[other], other: tensors[one]})
        if value is not None:
            text = f"The arguments `{one}` and `{other}` are exchanged. Reread: the order of the arguments."
            yield guess(value, Cause.ARGUMENTS_SWAPPED, text)


def _left_out(case: Case, name: str, tensor: Tensor) -> Iterator[Guess]:
    text = LEFT_OUT.format(name, name)
    others: list[Tensor | None] = [None, torch.zeros_like(tensor), torch.ones_like(tensor)]
    if not tensor.is_floating_point() and tensor.dtype != torch.bool:
        # Lengths that are not looked at are all as long as an axis.
        others += [torch.full_like(tensor, size) for size in sorted({size.value for size in sizes_of(case)})[:8]]
    for other in others:
        value = case.recompute(**{name: other})
        if value is not None:
            yield guess(value, Cause.ARGUMENT_IGNORED, text)
    if not tensor.is_floating_point() and tensor.dtype != torch.bool:
        yield from _counted_from_one(case, name, tensor)


def _counted_from_one(case: Case, name: str, tensor: Tensor) -> Iterator[Guess]:
    is_length = name.startswith("len")
    cause = Cause.MASK_OFF_BY_ONE if is_length else Cause.ROLLED
    reread = "`<` or `<=`, and where ranges end" if is_length else "where the index starts, 0 or 1"
    for step in (-1, 1):
        value = case.recompute(**{name: tensor + step})
        if value is not None:
            yield guess(value, cause, f"`{name}` is taken one too large or too small. Reread: {reread}.")


def _replaced(case: Case, name: str, tensor: Tensor, tensors: dict[str, Tensor]) -> Iterator[Guess]:
    for other, instead in tensors.items():
        if other == name or instead.dtype != tensor.dtype:
            continue
        value = case.recompute(**{name: instead})
        if value is not None:
            text = f"`{other}` is used in the place of `{name}`. Reread: which argument enters where."
            yield guess(value, Cause.ARGUMENT_IGNORED, text)


def _turned(case: Case, name: str, tensor: Tensor) -> Iterator[Guess]:
    """Two axes of an input exchanged (and perhaps those of the result too), an input reversed or shifted."""
    for one, other in combinations(range(tensor.dim()), 2):
        words = f"`{name}` enters with {name_axes(one, other, tensor.dim())} swapped, or runs along the wrong one."
        turned = tensor.transpose(one, other)
        for entering in (turned, turned.reshape(tensor.shape)):
            value = case.recompute(**{name: entering})
            if value is None:
                continue
            yield guess(value, Cause.INPUT_AXIS, f"{words} {ENTERS.format(name)}")
            if value.dim() == tensor.dim():
                yield guess(value.transpose(one, other), Cause.INPUT_AXIS, f"{words} {ENTERS.format(name)}")
    axes = [axis for axis in range(tensor.dim()) if tensor.shape[axis] > 1]
    for some in [(axis,) for axis in axes] + list(combinations(axes, 2)):
        value = case.recompute(**{name: tensor.flip(some)})
        if value is not None:
            where = " and ".join(map(str, some))
            text = f"`{name}` is read in reverse along axis {where}. Reread: flip, and the direction of your loop."
            yield guess(value, Cause.INPUT_AXIS, text)
    for axis in axes:
        for step in (-1, 1):
            value = case.recompute(**{name: tensor.roll(step, axis)})
            if value is not None:
                text = f"`{name}` is shifted by one along axis {axis}. Reread: where the index starts."
                yield guess(value, Cause.ROLLED, text)


def _scaled(case: Case, tensors: dict[str, Tensor]) -> Iterator[Guess]:
    """A factor on what goes into a softmax, a root or a product with a sum."""
    seen: list[Tensor] = [case.expected, 2 * case.expected]
    for name, tensor in tensors.items():
        doubled = case.recompute(**{name: 2 * tensor})
        # Where an input has no effect, enters linearly, or like another one, nothing new is to be learnt.
        if doubled is None or any(case.near(doubled, one).all() for one in seen):
            continue
        seen.append(doubled)
        value = case.recompute(**{name: -tensor})
        if value is not None:
            text = (
                f"`{name}`, or what is computed from it, enters with the wrong sign. Reread: the signs in the formula."
            )
            yield guess(value, Cause.SIGN, text)
        for factor, words in _factors(case):
            value = case.recompute(**{name: factor * tensor})
            if value is not None:
                text = f"What is computed from `{name}` is off by {words} before it goes on. "
                hint = f"{text}Reread: by what the formula divides, and its square roots."
                yield guess(value, Cause.FACTOR, hint, fitted=1)
                if value.shape == tensor.shape:  # a gradient has the factor of its input once more
                    yield guess(factor * value, Cause.FACTOR, hint, fitted=1)


def _factors(case: Case) -> list[tuple[float, str]]:
    """Factors that a formula may lack or have too many, with the name of those that have one."""
    sizes = {size.value for size in sizes_of(case)[:12] if 1 < size.value <= 4096} | {1}
    roots = {math.sqrt(a / b) for a in sizes for b in sizes if a != b}
    wanted = [2.0, 0.5, *sorted(roots, key=lambda root: abs(math.log(root)))][:MOST_FACTORS]
    wanted += [float(size) for size in sizes if size > 2] + [1 / size for size in sizes if size > 2]
    named = [factor for factor in factors_of(case) if factor.cause is Cause.FACTOR]
    return [(value, _name(value, named)) for value in wanted]


def _name(value: float, named: list[Factor]) -> str:
    words = (factor.words for factor in named if math.isclose(factor.value, value, rel_tol=1e-9))
    found = next(words, None)
    return f"the factor {found}" if found else "one factor"
