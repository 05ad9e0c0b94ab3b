"""Hypotheses that the right values stand in the wrong places."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, permutations

from tensorgrade.checks.diagnosis.case import Case, Cause, Diagnosis, Guess, guess
from tensorgrade.checks.diagnosis.scales import factors_of

MOST_STEPS = 4
MOST_AXES = 4
VIEW = (
    "The right values are read in the wrong order: a reshape where axes must be exchanged first. "
    "Reread: the difference between `reshape` (or `view`) and `transpose`."
)


def name_axes(one: int, other: int, axes: int) -> str:
    """Two axes by their usual name, if they have one."""
    return "the last two axes" if (one, other) == (axes - 2, axes - 1) else f"axes {one} and {other}"


def moved_values(case: Case) -> Iterator[Guess | Diagnosis]:
    """Axes exchanged, a wrong reading order, an axis reversed, values shifted along an axis."""
    yield from _transposed(case)
    yield from _permuted(case)
    yield from _reversed(case)
    yield from _read_in_another_order(case)
    yield from _rolled(case)


def _transposed(case: Case) -> Iterator[Guess]:
    expected = case.expected
    for one, other in combinations(range(expected.dim()), 2):
        if expected.shape[one] != expected.shape[other] or expected.shape[one] < 2:
            continue
        turned = expected.transpose(one, other)
        words = name_axes(one, other, expected.dim())
        text = f"{words[0].upper()}{words[1:]} are swapped"
        yield guess(turned, Cause.TRANSPOSED, f"{text}. Reread: transpose, and which operand of the product is first.")
        scale = turned.square().sum().item()
        ratio = (case.actual * turned).sum().item() / scale if scale else 0.0
        for factor in factors_of(case):
            if abs(abs(ratio) / factor.value - 1) < 1e-4:
                also = f"{text}, and all values differ by one factor. Reread: transpose, and the scale in the formula."
                yield guess(turned * ratio, Cause.TRANSPOSED, also, fitted=1)
        yield guess(-turned, Cause.TRANSPOSED, f"{text}, and the sign is wrong. Reread: transpose.")


def _permuted(case: Case) -> Iterator[Guess]:
    """Three axes or more in another order, where their lengths do not show it."""
    axes = range(case.expected.dim())
    if not 3 <= len(axes) <= MOST_AXES:
        return
    for order in permutations(axes):
        moved = case.expected.permute(order)
        if sum(a != b for a, b in zip(order, axes, strict=True)) > 2 and moved.shape == case.expected.shape:
            text = "The axes stand in another order, though their lengths are the same. Reread: permute."
            yield guess(moved, Cause.TRANSPOSED, text)


def _reversed(case: Case) -> Iterator[Guess]:
    axes = [axis for axis in range(case.expected.dim()) if case.expected.shape[axis] > 1]
    for axis in axes:
        text = f"The order along axis {axis} is reversed. Reread: flip, and the direction of your loop or sort."
        yield guess(case.expected.flip(axis), Cause.REVERSED, text)
    for some in combinations(axes, 2):
        text = f"The order along {name_axes(*some, case.expected.dim())} is reversed. Reread: flip."
        yield guess(case.expected.flip(some), Cause.REVERSED, text)
    if len(axes) > 2:
        yield guess(case.expected.flip(axes), Cause.REVERSED, "The order along all axes is reversed. Reread: flip.")


def _read_in_another_order(case: Case) -> Iterator[Guess]:
    shape = case.expected.shape
    for one, other in combinations(range(len(shape)), 2):
        if shape[one] < 2 or shape[other] < 2:
            continue
        turned = case.expected.transpose(one, other)
        yield guess(turned.reshape(shape), Cause.TRANSPOSED, VIEW)
        yield guess(case.expected.reshape(turned.shape).transpose(one, other), Cause.TRANSPOSED, VIEW)


def _rolled(case: Case) -> Iterator[Diagnosis]:
    """Values shifted along an axis: all but those at the edge agree, whatever came in there."""
    for axis, length in enumerate(case.expected.shape):
        for step in range(1, min(length // 2, MOST_STEPS) + 1):
            for sign in (1, -1):
                if _is_shifted(case, axis, sign * step):
                    yield Diagnosis(Cause.ROLLED, _say_shift(axis, step, is_later=sign > 0))


def _is_shifted(case: Case, axis: int, step: int) -> bool:
    left = case.expected.shape[axis] - abs(step)
    early, late = (0, abs(step)) if step > 0 else (abs(step), 0)
    aim, found = case.expected.narrow(axis, early, left), case.actual.narrow(axis, late, left)
    here = case.expected.narrow(axis, late, left)
    return case.part(found, here).explains(aim)


def _say_shift(axis: int, step: int, *, is_later: bool) -> str:
    where = "late" if is_later else "early"
    steps = "one step" if step == 1 else f"{step} steps"
    ask = "Reread: where the index starts, and the slices `[1:]` and `[:-1]`."
    return f"The values stand {steps} too {where} along axis {axis}. {ask}"
