"""What is certain about where a value is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from tensorgrade.checks.diagnosis.case import Case, Cause, Diagnosis
from tensorgrade.checks.diagnosis.masks import the_mask

ZERO = (
    "All values are 0 or False. Is a result never written, or, if this is a gradient, a tensor detached or copied? "
    "Reread: detach, `.data` and no_grad."
)
BLIND = "Only the rows in which the mask allows nothing are wrong. Reread: the softmax of a row that is all -inf."
MOST_NAMED = 3
# Fewer values than that, say of classes, are equal by luck.
FEWEST_EQUAL = 5
DIGITS_OF_RIGHT_PLACES = 3.0
# A slice of which most is right is no wrong slice.
MOSTLY = 0.5


def zero_values(case: Case) -> Iterator[Diagnosis]:
    """Nothing but zeros."""
    is_bare = case.digits_of_a_place is not None and int(case.out.sum()) < 3
    if not case.is_right and not case.actual.any() and not is_bare:
        yield Diagnosis(Cause.CONSTANT, ZERO)


def constant_values(case: Case) -> Iterator[Diagnosis]:
    """One value everywhere, where it should vary."""
    actual, expected = case.actual.flatten(), case.expected.flatten()
    if actual.numel() < FEWEST_EQUAL or case.is_right or case.near(expected, expected[0]).all():
        return
    if actual[0].isfinite() and case.near(actual, actual[0]).all():
        text = "All values are equal, they should differ. Reread: which input each value depends on."
        yield Diagnosis(Cause.CONSTANT, text)
    for axis, length in enumerate(case.actual.shape):
        first, aim = case.actual.narrow(axis, 0, 1), case.expected.narrow(axis, 0, 1)
        if length > 2 and case.near(case.actual, first).all() and not case.near(case.expected, aim).all():
            text = f"All entries along axis {axis} are equal, they should differ. "
            yield Diagnosis(Cause.CONSTANT, f"{text}Reread: which input each entry depends on, and broadcasting.")


def some_rows(case: Case) -> Iterator[Diagnosis]:
    """All is right but a few slices along one axis."""
    out = case.out
    if not out.any() or out.all() or _may_be_luck(case):
        return
    mask = the_mask(case)
    if mask is not None:
        yield from _where_masked(out, mask)
    for axis, length in enumerate(out.shape):
        wrong = wrong_slices(out, axis)
        rows = wrong.nonzero().flatten()
        if length > 2 and _are_exceptions(out.index_select(axis, rows), rows, length):
            yield Diagnosis(Cause.SOME_ROWS, _say_rows(rows.tolist(), axis, length))
    if out.dim() > 2:
        wrong = out.any(-1)
        if wrong.float().mean() <= 0.5 and out[wrong].float().mean() >= MOSTLY:
            index = tuple(wrong.nonzero()[0].tolist())
            text = f"Only some rows are wrong, the first has the index {index}, the others are right. "
            yield Diagnosis(Cause.SOME_ROWS, f"{text}Reread: what is special about them.")


def _may_be_luck(case: Case) -> bool:
    """Whether the right ones of whole numbers are so few that guessing would give them."""
    digits = case.digits_of_a_place
    return digits is not None and digits * int((~case.out).sum()) < DIGITS_OF_RIGHT_PLACES


def _are_exceptions(out: Tensor, rows: Tensor, length: int) -> bool:
    """Whether slices that hold a wrong value are few, and wrong on the whole or at the ends of the axis."""
    count = rows.numel()
    if out.dim() == 1 and count * 3 > length and not _at_the_ends(rows, length):
        return False
    return count * 2 <= length and (
        bool(out.float().mean() >= MOSTLY) or (count * 3 <= length and _at_the_ends(rows, length))
    )


def _at_the_ends(rows: Tensor, length: int) -> bool:
    """Whether the slices are the first and the last ones."""
    right = sorted(set(range(length)) - set(rows.tolist()))
    return right == list(range(right[0], right[-1] + 1))


def wrong_slices(out: Tensor, axis: int) -> Tensor:
    """Which slices along an axis hold a wrong value: bool, shape (length of the axis)."""
    others = tuple(other for other in range(out.dim()) if other != axis)
    return out.any(others) if others else out


def _where_masked(out: Tensor, mask: Tensor) -> Iterator[Diagnosis]:
    for allowed, words in ((mask.any(-1), BLIND), (mask, "")):
        flags = allowed
        while flags.dim() > out.dim() and flags.shape[-1] == 1:
            flags = flags.squeeze(-1)
        while flags.dim() < out.dim() and flags.shape == out.shape[: flags.dim()]:
            flags = flags.unsqueeze(-1)
        try:
            hidden = ~flags.expand(out.shape)
        except RuntimeError:
            continue
        if hidden.any() and not (out & ~hidden).any():
            text = (
                words or "Only places that the mask hides are wrong. Reread: what a padded or hidden place must hold."
            )
            yield Diagnosis(Cause.SOME_ROWS, text)


def _say_rows(rows: list[int], axis: int, length: int) -> str:
    reread = "Reread: the first and the last step of your loop, and the slices."
    where = f"along axis {axis}"
    if rows == [0]:
        return f"Only the first entry {where} is wrong. {reread}"
    if rows == [length - 1]:
        return f"Only the last entry {where} is wrong. {reread}"
    if rows == list(range(rows[0], length)):
        return f"Everything is right up to the last {len(rows)} entries {where}. {reread}"
    if rows == list(range(len(rows))):
        return f"Only the first {len(rows)} entries {where} are wrong. {reread}"
    named = ", ".join(str(row) for row in rows[:MOST_NAMED]) + (" and others" if len(rows) > MOST_NAMED else "")
    return f"Only some entries {where} are wrong ({named}), the others are right. Reread: what is special about them."
