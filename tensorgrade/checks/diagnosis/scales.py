"""Hypotheses that one number, or one elementwise function, explains."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from torch import Tensor

from tensorgrade.checks.diagnosis.case import Case, Cause, Guess, guess

# Factors that occur without a size: halves from 1/2 of a square, pixels, angles, percentages.
SMALL = {2.0: "2", 10.0: "10", 100.0: "100", 255.0: "255", math.pi: "pi", 180 / math.pi: "180 / pi"}
LOGS = {math.log(2): "ln 2 (a logarithm to base 2)", math.log(10): "ln 10 (a logarithm to base 10)"}
# Values of which the median is taken.
SAMPLE = 1001
# Small numbers that are more often a size than a constant.
COUNTS = {float(n): str(n) for n in (3, 4, 5, 6, 8, 9, 16)} | {1.5: "1.5"}
# Square roots of widths that are common, beside those of named sizes.
ROOTS = (2, 3, 5, 6, 7, 8, 10, 11, 12, 32, 64, 128, 256, 512, 1024)
SIGN = "All values have the wrong sign. Reread: which term is subtracted from which, and the minus of the loss."


@dataclass(frozen=True)
class Factor:
    """A factor with a name: the actual values are so many times the expected ones."""

    value: float
    words: str
    cause: Cause = Cause.FACTOR


@dataclass(frozen=True)
class Size:
    """A length, what to call it, whether the value has no axis of that length, and whether the author named it."""

    value: int
    words: str
    is_reduced: bool
    is_named: bool = False


def scaled_values(case: Case) -> Iterator[Guess]:
    """Sign, factor, offset: what one number explains."""
    expected = case.expected
    yield guess(-expected, Cause.SIGN, SIGN)
    finite = case.actual.isfinite() & expected.isfinite()
    actual, aim = case.actual[finite], expected[finite]
    if not aim.any() or not actual.any():
        return
    ratio = ((actual * aim).sum() / aim.square().sum()).item()
    yield from _named_factors(case, ratio)
    yield from _offsets(case, (actual[:SAMPLE] - aim[:SAMPLE]).median().item())
    yield from _factors_beside_an_offset(case)
    text = "All values differ by the same factor. Reread: by what the formula divides, and in which unit the result is."
    yield guess(expected * ratio, Cause.FACTOR, text, fitted=1)


def _named_factors(case: Case, ratio: float) -> Iterator[Guess]:
    size = abs(ratio)
    near = [one for one in factors_of(case) if abs(size / one.value - 1) < 2e-3]
    for one in sorted(near, key=lambda one: round(abs(size / one.value - 1), 5)):
        turned = math.copysign(one.value, ratio)
        yield guess(case.expected * turned, one.cause, _say_factor(one, is_negative=ratio < 0))


def _say_factor(factor: Factor, *, is_negative: bool) -> str:
    sign = " and have the wrong sign" if is_negative else ""
    if factor.cause is Cause.REDUCTION:
        return f"{factor.words}{' The sign is wrong too.' if is_negative else ''} Reread: sum and mean, `reduction=`."
    if factor.cause is Cause.VARIANCE:
        return f"{factor.words}. Reread: `correction` (or `unbiased`) of torch.var and torch.std."
    if "sqrt" in factor.words:
        ask = "Is a square root of a size missing, or there once too often?"
        return f"All values differ by the same factor {factor.words}{sign}. {ask} Reread: the scale in the formula."
    ask = "Is a constant missing, or there twice?"
    return f"All values differ by the same factor {factor.words}{sign}. {ask} Reread: the constants in the formula."


def factors_of(case: Case) -> list[Factor]:
    """The factors that have a name in this case, the more specific first."""
    found = list(_both_ways(SMALL | LOGS))
    named = sizes_of(case)
    for size in named:
        found += _factors_of_size(size)
    found += _both_ways(COUNTS)
    known = {size.value for size in named}
    roots = [Size(n, str(n), is_reduced=False) for n in ROOTS if n not in known]
    return found + [factor for size in roots for factor in _roots(size)]


def _both_ways(named: Mapping[float, str]) -> Iterator[Factor]:
    for value, words in named.items():
        yield Factor(value, words)
        yield Factor(1 / value, f"1 / {words}")


def _factors_of_size(size: Size) -> Iterator[Factor]:
    n, words = size.value, size.words
    if n < 2:
        return
    yield from _roots(size)
    if n > 2 and size.is_reduced:
        total = f"All values are too large by the factor {words}: is a sum taken where a mean is asked for?"
        mean = f"All values are too small by the factor {words}: is a mean taken where a sum is asked for?"
        yield Factor(float(n), total, Cause.REDUCTION)
        yield Factor(1 / n, mean, Cause.REDUCTION)
    elif n > 2:
        yield from _both_ways({float(n): words})
    if n > 2:
        less = f"The sum of squares is divided by n - 1 in one place and by n in the other, with n = {words}"
        # 3 / 2, 4 / 3 and 5 / 4 are more often a wrong constant, where nobody says that n counts something.
        powers = (1.0, 0.5) if n > 5 or size.is_named or size.is_reduced else (0.5,)
        for power in powers:
            yield Factor((n / (n - 1)) ** power, less, Cause.VARIANCE)
            yield Factor(((n - 1) / n) ** power, less, Cause.VARIANCE)
    if size.is_named:
        yield from _both_ways({float(n * n): f"{words} squared"})


def _roots(size: Size) -> Iterator[Factor]:
    root = f"sqrt({size.words})"
    yield Factor(math.sqrt(size.value), root)
    yield Factor(1 / math.sqrt(size.value), f"1 / {root}")


def sizes_of(case: Case) -> list[Size]:
    """Named sizes, then the lengths of axes of the inputs and of the value, by name only."""
    left = set(case.expected.shape)
    given = list(case.facts.sizes.items())
    found = [Size(n, name, n not in left, is_named=True) for name, n in given]
    tensors = {name: x for name, x in case.facts.inputs.items() if isinstance(x, Tensor)}
    for name, tensor in tensors.items():
        for axis, n in enumerate(tensor.shape):
            found.append(Size(n, f"the length of axis {axis} of {name}", n not in left))
    for name, tensor in tensors.items():
        for axis in range(tensor.dim()):
            rest = tensor.numel() // max(tensor.shape[axis], 1)
            found.append(Size(rest, f"the number of values of {name} along all axes but {axis}", is_reduced=True))
        found.append(Size(tensor.numel(), f"the number of values of {name}", is_reduced=True))
    for (one, n), (other, m) in combinations(given, 2):
        found.append(Size(n * m, f"{one} times {other}", is_reduced=True))
    found += [Size(n, f"the length of axis {axis}", is_reduced=False) for axis, n in enumerate(case.expected.shape)]
    first: dict[int, Size] = {}
    for size in found:
        first.setdefault(size.value, size)
    return list(first.values())


def _offsets(case: Case, offset: float) -> Iterator[Guess]:
    for step, words in ((1.0, "larger"), (-1.0, "smaller")):
        if math.isclose(offset, step, rel_tol=1e-3):
            text = f"All values are {words} by 1 than they should be. Reread: where the count starts, 0 or 1."
            yield guess(case.expected + step, Cause.OFFSET, text)
    text = "All values are off by the same constant. Is a term added that does not belong there, or is one missing?"
    yield guess(case.expected + offset, Cause.OFFSET, f"{text} Reread: the terms of the formula.", fitted=1)


def _factors_beside_an_offset(case: Case) -> Iterator[Guess]:
    """A wrong variance below a learned scale and shift: one factor, and a constant for each column."""
    if case.expected.dim() < 2 or case.expected.shape[0] < 3:
        return
    axes = tuple(range(case.expected.dim() - 1))
    for shared in {axes, (0, *range(2, case.expected.dim()))}:
        middle = case.expected.mean(shared, keepdim=True)
        aim = case.expected - middle
        moved = case.actual.mean(shared, keepdim=True)
        if not aim.any():
            return
        ratio = (((case.actual - moved) * aim).sum() / aim.square().sum()).item()
        for one in factors_of(case):
            if one.cause is Cause.VARIANCE and abs(ratio / one.value - 1) < 1e-4:
                yield guess(
                    aim * one.value + moved, one.cause, _say_factor(one, is_negative=False), fitted=middle.numel()
                )


def shifted_along_an_axis(case: Case) -> Iterator[Guess]:
    """A constant for each column (a bias), or for each row."""
    difference = case.actual - case.expected
    ask = "Is a bias or a mean missing, or there twice? Reread: the terms of the formula that have one axis."
    if difference.dim() < 2 or not difference.isfinite().all():
        return
    for axis in range(difference.dim()):
        others = tuple(other for other in range(difference.dim()) if other != axis)
        for along, words in ((others, "everywhere but along"), ((axis,), "along")):
            added = difference.mean(along, keepdim=True)
            text = f"What is added is wrong: the difference is the same {words} axis {axis}. {ask}"
            yield guess(case.expected + added, Cause.OFFSET, text, fitted=added.numel())


def summed_along_an_axis(case: Case) -> Iterator[Guess]:
    """Each entry has those before it in it."""
    for axis in range(case.expected.dim()):
        text = f"Each entry along axis {axis} holds the sum of all before it. "
        text += "Reread: where a running sum starts again at 0."
        yield guess(case.expected.cumsum(axis), Cause.ACCUMULATES, text)
