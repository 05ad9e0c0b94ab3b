"""Hypotheses about the small number that keeps a divisor from zero."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from tensorgrade.checks.diagnosis.arguments import EPSILON, plain_arguments
from tensorgrade.checks.diagnosis.case import Case, Cause, Guess, guess

SIZES = (0.0, 1e-12, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
MISSING = "The epsilon is missing: it shows where the divisor is small. Reread: eps in the formula."
ANOTHER = "The epsilon has another size than the task asks for. Reread: eps in the formula."
MOVED = "The epsilon stands on the wrong side of the square root. Reread: sqrt(v + eps) against sqrt(v) + eps."


def moved_epsilons(case: Case) -> Iterator[Guess]:
    """Epsilon missing, of another size, inside or outside the root: with the reference, or by the divisors."""
    yield from _with_the_reference(case)
    yield from _by_own_slices(case)
    yield from _by_divisors(case)


def _with_the_reference(case: Case) -> Iterator[Guess]:
    if not case.is_reproducible:
        return
    for name, eps in plain_arguments(case).items():
        if not EPSILON.fullmatch(name) or not isinstance(eps, float):
            continue
        for size in SIZES:
            value = case.recompute(**{name: size})
            if value is not None and size != eps:
                yield guess(value, Cause.EPSILON, ANOTHER if size else MISSING)
        for squares in _squares(case):
            root = squares.clamp(min=0).sqrt()
            # sqrt(v + e) = sqrt(v) + eps and its reverse, solved for e.
            for moved in (2 * eps * root + eps**2, (squares + eps).sqrt() - root):
                value = case.recompute(**{name: moved})
                if value is not None:
                    yield guess(value, Cause.EPSILON, MOVED)


def _squares(case: Case) -> Iterator[Tensor]:
    """What a root may be taken of: variances and sums of squares along each axis, and inputs themselves."""
    for tensor in case.facts.inputs.values():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            continue
        wide = tensor.detach().double()
        axes: list[tuple[int, ...]] = [(axis,) for axis in range(wide.dim())]
        if wide.dim() > 2:
            axes += [(0, *range(2, wide.dim())), tuple(range(1, wide.dim())), tuple(range(wide.dim() - 1))]
        axes.append(tuple(range(wide.dim())))
        for along in axes:
            yield wide.var(along, correction=0, keepdim=True)
            yield wide.square().sum(along, keepdim=True)
            yield wide.square().mean(along, keepdim=True)
        if (wide >= 0).all():
            yield wide
        yield wide.square()


def _by_own_slices(case: Case) -> Iterator[Guess]:
    """A slice that was divided by sqrt(v + eps) has the mean square v / (v + eps), which gives v in units of eps."""
    for axis in range(case.expected.dim()):
        share = case.expected.square().mean(axis, keepdim=True)
        if not ((share > 0.1) & (share < 1 + 1e-6)).all() or not (share < 1 - 1e-5).any():
            continue
        squares = share / (1 - share).clamp(min=1e-12)
        for times in (0.0, 1e-4, 1e-3, 1e-2, 1e-1, 10.0, 100.0, 1e3, 1e4):
            value = case.expected * ((squares + 1) / (squares + times)).sqrt()
            yield guess(value, Cause.EPSILON, ANOTHER if times else MISSING, fitted=1)
        for eps in SIZES[1:]:
            root = (squares * eps).sqrt()
            yield guess(case.expected * (squares * eps + eps).sqrt() / (root + eps), Cause.EPSILON, MOVED, fitted=1)


def _by_divisors(case: Case) -> Iterator[Guess]:
    """Without a reference: actual / expected is the quotient of two divisors of the same squares."""
    used = (case.expected.abs() > 1e-6 * case.scale) & case.expected.isfinite() & case.actual.isfinite()
    quotient = torch.where(used, case.actual / case.expected, torch.nan)
    if not used.any() or not quotient[used].sub(1).abs().gt(1e-6).any():
        return
    for squares in _squares(case):
        if squares.dim() == quotient.dim() and _varies_with(quotient, squares):
            yield from _quotients(case, squares.expand(quotient.shape))


def _varies_with(quotient: Tensor, squares: Tensor) -> bool:
    """Whether a quotient is the same wherever the squares are: along the axes that they were summed over."""
    pairs = enumerate(zip(squares.shape, quotient.shape, strict=True))
    summed = [axis for axis, (one, n) in pairs if one == 1 and n > 1]
    if any(one not in (1, n) for one, n in zip(squares.shape, quotient.shape, strict=True)):
        return False
    if not summed:
        return True
    least, most = (quotient.nan_to_num(nan=fill) for fill in (math.inf, -math.inf))
    spread = most.amax(summed) - least.amin(summed)
    return bool((spread < 1e-4).all())


def _quotients(case: Case, squares: Tensor) -> Iterator[Guess]:
    flat = torch.where(case.expected.abs() > 1e-6 * case.scale, case.actual / case.expected, torch.nan).flatten()
    spot = int(torch.where(flat.isfinite(), (flat - 1).abs(), -1.0).argmax())
    ratio, v = flat[spot].item(), squares.flatten()[spot].item()
    for right, aim in _divisors(v):
        for wrong, got in _divisors(v):
            if right == wrong or got == 0 or abs(aim / got / ratio - 1) > 1e-3:
                continue
            moved = right[1] == wrong[1]
            hint = MOVED if moved else ANOTHER if wrong[1] else MISSING
            quotient = _divide(squares, right) / _divide(squares, wrong)
            yield guess(case.expected * quotient, Cause.EPSILON, hint, fitted=1)


Divisor = tuple[bool, float]


def _divisors(v: float) -> Iterator[tuple[Divisor, float]]:
    for eps in SIZES:
        yield (True, eps), (v + eps) ** 0.5
        if eps:
            yield (False, eps), v**0.5 + eps


def _divide(squares: Tensor, divisor: Divisor) -> Tensor:
    inside, eps = divisor
    return (squares + eps).sqrt() if inside else squares.sqrt() + eps
