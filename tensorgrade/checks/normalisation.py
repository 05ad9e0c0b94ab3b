"""Checks of values that are normalised along an axis."""

from __future__ import annotations

from torch import Tensor

from tensorgrade.checks.closeness import assert_finite, unpack_tensors
from tensorgrade.errors import CheckFailure


def assert_distribution(actual: object, *, axis: int = -1, atol: float = 1e-5, name: str = "the result") -> None:
    """Check that values are a probability distribution along an axis: none is negative, and they sum to 1.

    Args:
        actual: from the submission, floating point, any shape with that axis.
        axis: over which they sum to 1.
        atol: allowed difference of a sum from 1, and allowed size of a negative value. 1e-5: float32 over about a
            hundred values.
        name: what the task calls the value.

    Raises:
        CheckFailure: not a tensor, not floating point, no such axis, NaN, a negative value, or another sum. The hint
            says if another axis would be right.
    """
    values = _along(actual, axis, name)
    smallest = values.min().item() if values.numel() else 0.0
    if not smallest >= -atol:
        hint = (
            f"{name} has negative values: it holds no probabilities. Is an exponential missing, or is it a logarithm?"
        )
        raise CheckFailure(f"{name}: smallest value {smallest:.6g}", hint)
    if _sums_to_one(values, axis, atol):
        return
    sums = values.sum(axis)
    text = f"{name} does not sum to 1 along axis {axis}"
    others = [other for other in range(-values.dim(), 0) if _sums_to_one(values, other, atol)]
    advice = f"It does along axis {others[-1]}: which axis is it over?" if others else "By what is it divided?"
    raise CheckFailure(f"{text}: sums from {sums.min():.6f} to {sums.max():.6f}", f"{text}. {advice}")


def assert_standardised(actual: object, *, axis: int = -1, atol: float = 1e-3, name: str = "the result") -> None:
    """Check that values have mean 0 and (biased) variance 1 along an axis, as after a normalisation.

    Args:
        actual: from the submission, floating point, two entries or more along that axis.
        axis: over which they are normalised.
        atol: allowed difference of a mean from 0 and of a variance from 1. 1e-3: an epsilon of 1e-5 makes the
            variance of inputs of variance 0.1 smaller by 1e-4; a variance divided by n - 1 is off by 1 / n.
        name: what the task calls the value.

    Raises:
        CheckFailure: not a tensor, not floating point, no such axis, NaN, or another mean or variance. The hint says
            if it is divided by n - 1.

    Source: Ba et al., Layer Normalization, 2016, equation 3; Ioffe & Szegedy, Batch Normalization, 2015, algorithm 1.
    """
    values = _along(actual, axis, name)
    size = values.shape[axis]
    mean, variance = values.mean(axis), values.var(axis, correction=0)
    if not (mean.abs() <= atol).all():
        hint = f"The mean of {name} along axis {axis} is not 0. Is the mean taken over another axis, or a shift added?"
        raise CheckFailure(f"{name}: means from {mean.min():.6f} to {mean.max():.6f}", hint)
    if not ((variance - 1).abs() <= atol).all():
        hint = f"The variance of {name} along axis {axis} is not 1. Is it divided by the standard deviation?"
        if ((variance * size / max(size - 1, 1) - 1).abs() <= atol).all():
            hint = f"The variance of {name} is 1 only if it is divided by n - 1; it has to be divided by n."
        raise CheckFailure(f"{name}: variances from {variance.min():.6f} to {variance.max():.6f}", hint)


def _along(actual: object, axis: int, name: str) -> Tensor:
    """The values as float64, finite, with that axis."""
    assert_finite(actual, name=name)
    (plain,) = unpack_tensors((actual,), name)
    if not plain.is_floating_point() or not -plain.dim() <= axis < plain.dim():
        text = f"{name} must be a floating point tensor with an axis {axis}."
        raise CheckFailure(f"{text} Got {plain.dtype}, {tuple(plain.shape)}", text)
    return plain.double()


def _sums_to_one(values: Tensor, axis: int, atol: float) -> bool:
    return bool(((values.sum(axis) - 1).abs() <= atol).all())
