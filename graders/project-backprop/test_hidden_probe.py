"""The hidden checks of the probe: central differences of a cubic, whose error is known in closed form.

The function that is probed stays here: it sees where it is called.
"""

import pytest
import torch

from tensorgrade.checks import (
    Facts,
    assert_close,
    assert_dtype,
    assert_not_mutated,
    assert_random_state_kept,
    assert_shape,
    unpack_tensors,
)
from tensorgrade.errors import CheckFailure


def draw(rng, *shape):
    """Normal numbers in float64."""
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


class Recorder:
    """A function of a vector (P,), that keeps where it was called.

    Args:
        f: takes a vector in float64, returns a tensor without axes.
        theta: the point that is probed.
    """

    def __init__(self, f, theta):
        self.f, self.theta, self.points = f, theta, []

    def __call__(self, point):
        """The value, as a Python number."""
        assert_shape(point, self.theta.shape, name="what f is called with")
        if point.dtype != torch.float64:
            hint = "f is called with a vector of another precision than that of theta."
            raise CheckFailure(f"f called with {point.dtype}", hint)
        self.points.append(point.clone())
        return self.f(point).item()


def draw_cubic(rng, size):
    """A vector (size,) and a cubic polynomial of such a vector in which all coordinates meet."""
    theta, mixing, scale = draw(rng, size), draw(rng, size, size), 1 + torch.rand(size, generator=rng).double()
    return theta, lambda point: (scale * point**3).sum() + point @ mixing @ point, scale, mixing


def central(theta, scale, mixing, eps):
    """Central differences of the cubic, in closed form: the derivative, and eps**2 of each cube."""
    return 3 * scale * theta**2 + scale * eps**2 + (mixing + mixing.T) @ theta


def unpack_probe(result, size, dtype=torch.float64):
    """Idx and g of what probe_gradient returned."""
    idx, g = unpack_tensors(result, "idx", "g")
    for name, value in (("idx", idx), ("g", g)):
        assert_shape(value, (size,), name=name)
    assert_dtype(idx, torch.int64, name="idx")
    assert_dtype(g, dtype, name="g")
    return idx, g


def draw_seeds(rng, count):
    """Different numbers to seed with."""
    return (1 + torch.randperm(10_000, generator=rng)[:count]).tolist()


@pytest.mark.task("probe_gradient", weight=2)
@pytest.mark.parametrize("eps", [0.5, 0.125, 1e-3])
def test_differences_are_central(student, rng, eps):
    """The differences are central, of the step that was given, for every coordinate in its order."""
    theta, f, scale, mixing = draw_cubic(rng, 7)
    idx, g = unpack_probe(student.probe_gradient(Recorder(f, theta), theta, eps), 7)
    assert_close(idx, torch.arange(7), name="idx")
    expected, slope = central(theta, scale, mixing, eps), central(theta, scale, mixing, 0.0)
    # The second difference: what a one-sided difference has too much.
    bend = eps * (3 * scale * theta + mixing.diagonal())
    mistakes = {
        "Is the second point theta itself? The differences are central: a step up and a step down.": expected + bend,
        "Is the second point theta itself? The differences are central: a step up, and one down.": expected - bend,
        "Both points together are two steps apart. By what is divided?": 2 * expected,
        "Is another step taken than the given one?": slope,
    }
    # Values of size 100, rounded at 1e-14, over a step of 1e-3.
    assert_close(g, expected, rtol=1e-9, atol=1e-9, name="g", facts=Facts(mistakes=mistakes))


@pytest.mark.task("probe_gradient")
def test_step_is_small_unless_given(student, rng):
    """Without eps the step is 1e-6, which gives nine digits of a smooth function."""
    theta, f, scale, mixing = draw_cubic(rng, 5)
    recorder = Recorder(f, theta)
    _, g = unpack_probe(student.probe_gradient(recorder, theta), 5)
    assert_close(g, central(theta, scale, mixing, 0.0), rtol=1e-6, atol=1e-6, name="g")
    steps = torch.stack([(point - theta).abs().max() for point in recorder.points])
    assert_close(steps, torch.full_like(steps, 1e-6), rtol=1e-6, atol=0.0, name="the step")


@pytest.mark.task("probe_gradient")
def test_two_calls_for_each_coordinate(student, rng):
    """Each probe changes one coordinate alone, and calls f twice; coordinates that are not asked for cost nothing."""
    theta, f, _, _ = draw_cubic(rng, 9)
    for n in (None, 4, 9, 1):
        recorder = Recorder(f, theta)
        idx, _ = unpack_probe(student.probe_gradient(recorder, theta, 0.25, n), n or 9)
        if len(recorder.points) != 2 * len(idx):
            hint = "f must be called exactly twice for each coordinate that is probed."
            raise CheckFailure(f"{len(recorder.points)} calls for {len(idx)} coordinates", hint)
        moved = (torch.stack(recorder.points) - theta).abs()
        if not ((moved > 1e-9).sum(1) == 1).all() or not torch.equal(
            moved.argmax(1).bincount(minlength=9).gt(0), idx.bincount(minlength=9).gt(0)
        ):
            hint = "Between the two calls exactly one coordinate differs. Is an earlier step still in theta?"
            raise CheckFailure("a call changes other coordinates than the probed one", hint)


@pytest.mark.task("probe_gradient")
def test_subset_is_drawn(student, rng):
    """A given number of coordinates are drawn, all different, by the seed, with the right derivatives."""
    theta, f, scale, mixing = draw_cubic(rng, 40)
    found, (first, second, third) = [], draw_seeds(rng, 3)
    for seed in (first, second, third, first):
        idx, g = unpack_probe(student.probe_gradient(Recorder(f, theta), theta, 1e-3, 6, seed), 6)
        if not (len(idx.unique()) == 6 and idx.min() >= 0 and idx.max() < 40):
            hint = "The n coordinates of idx must all be different, and from 0 to P - 1."
            raise CheckFailure(f"idx: {idx.tolist()}", hint)
        expected = central(theta, scale, mixing, 1e-3)[idx]
        assert_close(g, expected, rtol=1e-8, atol=1e-8, name="g of the drawn coordinates")
        found.append(frozenset(idx.tolist()))
    if found[0] != found[3]:
        raise CheckFailure("another subset under the same seed", "The same seed must draw the same coordinates.")
    if len(set(found[:3])) == 1:
        hint = "Three seeds draw the same coordinates. Are they drawn with the seed, from all P?"
        raise CheckFailure("the same subset under three seeds", hint)


@pytest.mark.task("probe_gradient")
def test_all_coordinates_can_be_drawn(student, rng):
    """Every coordinate is drawn now and then, and n equal to P draws all."""
    theta, f, _, _ = draw_cubic(rng, 6)
    seen = set()
    seeds = draw_seeds(rng, 12)
    for seed in seeds:
        seen |= set(unpack_probe(student.probe_gradient(Recorder(f, theta), theta, 1e-3, 3, seed), 3)[0].tolist())
    # A coordinate is missed twelve times by chance once in 4,000; two of the six are in 1e6.
    if not len(seen) >= 5:
        raise CheckFailure(f"drawn in twelve seeds: {sorted(seen)}", "Some coordinates are never drawn.")
    for seed in seeds[:3]:
        idx, _ = unpack_probe(student.probe_gradient(Recorder(f, theta), theta, 1e-3, 6, seed), 6)
        if sorted(idx.tolist()) != list(range(6)):
            raise CheckFailure(f"n = P: {idx.tolist()}", "With n equal to P, every coordinate is probed once.")


@pytest.mark.task("probe_gradient")
def test_probe_leaves_no_trace(student, rng):
    """Theta is the same to the last bit, and the global generators are left alone."""
    theta, f, _, _ = draw_cubic(rng, 8)
    theta *= 1e3  # one step up and down again is rounded here
    recorder = Recorder(f, theta)
    for n in (None, 3):
        assert_not_mutated(student, student.probe_gradient, (recorder, theta, 1e-6, n))
    assert_random_state_kept(student, lambda point: student.probe_gradient(recorder, point, 1e-3, 3, 4), theta)
