"""Wrong masks and positions, from the mutants of the assignment on attention."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from benchmarks.diagnosis.cases import Pair, pair, wrong

LENGTHS = torch.tensor([3, 6, 1, 4])


def mask_future(length: int) -> Tensor:
    """The right code: each position may look at itself and the past."""
    return torch.ones(length, length, dtype=torch.bool).tril()


def mask_pads(lengths: Tensor, length: int) -> Tensor:
    """The right code: real tokens may be seen, bool (B, 1, L)."""
    return (torch.arange(length) < lengths[:, None])[:, None, :]


def mask_band(length: int, radius: int, chosen: tuple[int, ...] = ()) -> Tensor:
    """The right code: neighbours up to the radius, and the chosen positions both ways."""
    position = torch.arange(length)
    allow = (position[:, None] - position[None, :]).abs() <= radius
    allow[list(chosen), :] = True
    allow[:, list(chosen)] = True
    return allow


def distance(length: int) -> Tensor:
    """How far each query is behind each key."""
    return torch.arange(length)[:, None] - torch.arange(length)


def wave_positions(length: int, width: int, base: float = 10000.0) -> Tensor:
    """The right code: the table of sines and cosines."""
    column = torch.arange(width)
    angle = torch.arange(length)[:, None] / base ** (2 * (column // 2) / width)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos())


@wrong("dtype")
def mask_future_as_float(rng: Generator) -> Pair:
    """The mask of the future holds 0 and -inf instead of bools."""
    right = mask_future(7)
    return pair(torch.zeros(7, 7).masked_fill(~right, -math.inf), right)


@wrong("mask_off_by_one", "rolled")
def mask_future_includes_next(rng: Generator) -> Pair:
    """The next token may be seen as well."""
    return pair(torch.ones(9, 9, dtype=torch.bool).tril(1), mask_future(9))


@wrong("mask_inverted")
def mask_future_inverted(rng: Generator) -> Pair:
    """The mask of the future marks what is forbidden."""
    return pair(torch.ones(8, 8, dtype=torch.bool).triu(1), mask_future(8))


@wrong("transposed")
def mask_future_transposed(rng: Generator) -> Pair:
    """Rows and columns of the mask of the future are exchanged."""
    return pair(torch.ones(7, 7, dtype=torch.bool).triu(), mask_future(7), sizes={"L": 7})


@wrong("mask_off_by_one", "rolled")
def mask_future_without_self(rng: Generator) -> Pair:
    """A position may not look at itself."""
    return pair(torch.ones(7, 7, dtype=torch.bool).tril(-1), mask_future(7), sizes={"L": 7})


@wrong("none")
def mask_band_diameter(rng: Generator) -> Pair:
    """The radius is taken as the width of the band."""
    return pair(distance(13).abs() <= 6 / 2, mask_band(13, 6))


@wrong("mask_off_by_one")
def mask_band_exclusive(rng: Generator) -> Pair:
    """The band ends one short of the radius."""
    inputs = {"length": 11, "radius": 3}
    return pair(distance(11).abs() < 3, mask_band(11, 3), inputs=inputs, reference=mask_band)


@wrong("argument_ignored")
def mask_band_of_radius_one(rng: Generator) -> Pair:
    """The radius is ignored: always direct neighbours."""
    inputs = {"length": 11, "radius": 4}
    return pair(distance(11).abs() <= 1, mask_band(11, 4), inputs=inputs, reference=mask_band)


@wrong("none", "some_rows")
def mask_band_past_only(rng: Generator) -> Pair:
    """The band looks back only."""
    gap = distance(9)
    return pair((gap >= 0) & (gap <= 3), mask_band(9, 3), sizes={"L": 9, "radius": 3})


@wrong("some_rows")
def mask_band_wraps_around(rng: Generator) -> Pair:
    """The band is closed to a ring: the first and the last position are neighbours."""
    gap = distance(12).abs()
    return pair(torch.minimum(gap, 12 - gap) <= 2, mask_band(12, 2), sizes={"L": 12, "radius": 2})


@wrong("argument_ignored")
def mask_band_without_globals(rng: Generator) -> Pair:
    """Global positions are ignored."""
    inputs = {"length": 9, "radius": 1, "chosen": (0, 4)}
    return pair(mask_band(9, 1), mask_band(9, 1, (0, 4)), inputs=inputs, reference=mask_band)


@wrong("some_rows")
def mask_globals_seen_only(rng: Generator) -> Pair:
    """Everyone may look at global positions, but they look only at the band."""
    actual = mask_band(10, 1)
    actual[:, [2, 6]] = True
    return pair(actual, mask_band(10, 1, (2, 6)))


@wrong("reversed")
def mask_pads_at_the_front(rng: Generator) -> Pair:
    """The pads are taken to come first."""
    actual = (torch.arange(6) >= 6 - LENGTHS[:, None])[:, None, :]
    return pair(actual, mask_pads(LENGTHS, 6), sizes={"B": 4, "L": 6})


@wrong("mask_inverted")
def mask_pads_inverted(rng: Generator) -> Pair:
    """The mask of pads marks the pads."""
    actual = (torch.arange(7) >= LENGTHS[:, None])[:, None, :]
    return pair(actual, mask_pads(LENGTHS, 7), inputs={"lengths": LENGTHS, "length": 7}, reference=mask_pads)


@wrong("mask_off_by_one", "rolled")
def mask_pads_off_by_one(rng: Generator) -> Pair:
    """The first pad counts as a real token."""
    actual = (torch.arange(7) <= LENGTHS[:, None])[:, None, :]
    return pair(actual, mask_pads(LENGTHS, 7), inputs={"lengths": LENGTHS, "length": 7}, reference=mask_pads)


@wrong("shape", "transposed")
def mask_pads_on_queries(rng: Generator) -> Pair:
    """The mask of pads hides queries instead of keys."""
    right = mask_pads(LENGTHS, 6)
    return pair((torch.arange(6) < LENGTHS[:, None])[:, :, None], right)


@wrong("shape")
def mask_pads_two_axes(rng: Generator) -> Pair:
    """The mask of pads lacks the axis of the queries."""
    return pair(torch.arange(6) < LENGTHS[:, None], mask_pads(LENGTHS, 6))


@wrong("shape")
def mask_pads_up_to_longest(rng: Generator) -> Pair:
    """The mask ends at the longest sequence, not at L."""
    actual = (torch.arange(int(LENGTHS.max())) < LENGTHS[:, None])[:, None, :]
    return pair(actual, mask_pads(LENGTHS, 9), sizes={"B": 4, "L": 9})


@wrong("constant", "some_rows")
def positions_all_alike(rng: Generator) -> Pair:
    """Every row is the first one."""
    right = wave_positions(11, 6)
    return pair(right[:1].expand(11, 6), right, sizes={"L": 11, "d": 6})


@wrong("rolled")
def positions_from_one(rng: Generator) -> Pair:
    """Positions are counted from 1."""
    return pair(wave_positions(13, 8)[1:], wave_positions(12, 8), sizes={"L": 12, "d": 8})


@wrong("none")
def positions_in_halves(rng: Generator) -> Pair:
    """All sines come first, then all cosines."""
    angle = torch.arange(9)[:, None] / 10000 ** (2 * torch.arange(4) / 8)
    return pair(torch.cat([angle.sin(), angle.cos()], dim=1), wave_positions(9, 8))


@wrong("none", "some_rows")
def positions_odd_rounded_up(rng: Generator) -> Pair:
    """An odd width is computed with the next even one and cut."""
    return pair(
        wave_positions(11, 8)[:, :7], wave_positions(11, 7), inputs={"length": 11, "width": 7}, reference=wave_positions
    )


@wrong("known_mistake", "some_rows")
def positions_wrong_base(rng: Generator) -> Pair:
    """The base is 1000 instead of 10000."""
    sines_first = wave_positions(14, 6)[:, [0, 2, 4, 1, 3, 5]]
    mistakes = {
        "Which column holds a sine, which a cosine? Look at the formula again.": sines_first,
        "Which number is raised to the power? Look at the formula again.": wave_positions(14, 6, 1000.0),
    }
    return pair(wave_positions(14, 6, 1000.0), wave_positions(14, 6), mistakes=mistakes)


@wrong("none", "some_rows")
def positions_wrong_exponent(rng: Generator) -> Pair:
    """The exponent is i / d instead of 2i / d."""
    column = torch.arange(10)
    angle = torch.arange(15)[:, None] / 10000 ** ((column // 2) / 10)
    actual = torch.where(column % 2 == 0, angle.sin(), angle.cos())
    return pair(actual, wave_positions(15, 10), sizes={"L": 15, "d": 10})


@wrong("constant")
def positions_zeros(rng: Generator) -> Pair:
    """Zeros of the right shape."""
    return pair(torch.zeros(9, 4), wave_positions(9, 4), sizes={"L": 9, "d": 4})
