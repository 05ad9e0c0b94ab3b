"""Wrong normalisation: standardising, layer, batch and root-mean-square norms, dropout, whitening."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from benchmarks.diagnosis.cases import Pair, draw_normal, pair, wrong


def standardise(x: Tensor) -> Tensor:
    """The right code: each column gets mean 0 and (biased) variance 1."""
    return (x - x.mean(0)) / x.std(0, correction=0)


def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    """The right code: the norm over the last axis."""
    centred = x - x.mean(-1, keepdim=True)
    return scale * centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + eps) + shift


def batch_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    """The right code of a training step: the norm over the batch."""
    return scale * (x - x.mean(0)) / torch.sqrt(x.var(0, correction=0) + eps) + shift


def rms_norm(x: Tensor, scale: Tensor, eps: float = 1e-6) -> Tensor:
    """The right code of the root-mean-square norm."""
    return scale * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)


def draw_affine(rng: Generator, width: int) -> tuple[Tensor, Tensor]:
    """A scale around 1 and a shift, both (width,)."""
    return 1 + 0.3 * draw_normal(rng, width), draw_normal(rng, width)


@wrong("variance", "factor")
def standardised_by_unbiased_deviation(rng: Generator) -> Pair:
    """torch.std divides by N - 1."""
    x = 3 + 2 * draw_normal(rng, 9, 4)
    return pair((x - x.mean(0)) / x.std(0), standardise(x))


@wrong("variance", "factor")
def layer_norm_unbiased(rng: Generator) -> Pair:
    """The variance is divided by the width minus one; there is no shift yet."""
    x = draw_normal(rng, 3, 5, 7)
    scale = torch.ones(7)
    actual = (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, keepdim=True) + 1e-5)
    return pair(actual, layer_norm(x, scale, torch.zeros(7)), sizes={"B": 3, "L": 5, "D": 7}, dim=-1)


@wrong("variance")
def batch_norm_unbiased_with_shift(rng: Generator) -> Pair:
    """A learned scale and shift follow the unbiased variance."""
    x = 2 + draw_normal(rng, 10, 6)
    scale, shift = draw_affine(rng, 6)
    actual = scale * (x - x.mean(0)) / torch.sqrt(x.var(0) + 1e-5) + shift
    inputs = {"x": x, "scale": scale, "shift": shift}
    return pair(actual, batch_norm(**inputs), inputs=inputs, reference=batch_norm, dim=0)


@wrong("variance", "factor")
def running_variance_biased(rng: Generator) -> Pair:
    """The variance that evaluation uses must be unbiased; the biased one is kept."""
    x = draw_normal(rng, 8, 5)
    return pair(x.var(0, correction=0), x.var(0), sizes={"N": 8, "D": 5}, dim=0)


@wrong("epsilon")
def layer_norm_epsilon_outside_root(rng: Generator) -> Pair:
    """The small constant is added to the deviation, not to the variance."""
    x = 0.01 * draw_normal(rng, 4, 6)
    scale, shift = draw_affine(rng, 6)
    actual = scale * (x - x.mean(-1, keepdim=True)) / (x.std(-1, correction=0, keepdim=True) + 1e-5) + shift
    inputs = {"x": x, "scale": scale, "shift": shift}
    return pair(actual, layer_norm(**inputs), inputs=inputs, reference=layer_norm, dim=-1)


@wrong("epsilon")
def layer_norm_without_epsilon(rng: Generator) -> Pair:
    """The small constant is left out."""
    x = 0.02 * draw_normal(rng, 4, 6)
    actual = (x - x.mean(-1, keepdim=True)) / x.std(-1, correction=0, keepdim=True)
    return pair(actual, layer_norm(x, torch.ones(6), torch.zeros(6)), sizes={"N": 4, "D": 6}, dim=-1)


@wrong("epsilon")
def rms_norm_epsilon_outside_root(rng: Generator) -> Pair:
    """The root is taken before the constant is added."""
    x = 0.01 * draw_normal(rng, 3, 4, 8)
    scale = 1 + 0.3 * draw_normal(rng, 8)
    actual = scale * x / (x.square().mean(-1, keepdim=True).sqrt() + 1e-5)
    expected = rms_norm(x, scale, 1e-5)
    inputs = {"x": x, "scale": scale, "eps": 1e-5}
    return pair(actual, expected, inputs=inputs, reference=rms_norm, dim=-1)


@wrong("reduction", "factor")
def rms_norm_by_the_sum(rng: Generator) -> Pair:
    """The squares are summed, not averaged."""
    x = draw_normal(rng, 5, 9)
    return pair(x * torch.rsqrt(x.square().sum(-1, keepdim=True) + 1e-6), rms_norm(x, torch.ones(9)), dim=-1)


@wrong("none")
def rms_norm_centred(rng: Generator) -> Pair:
    """The mean is subtracted first, which makes it a layer norm."""
    x = 1 + draw_normal(rng, 5, 8)
    scale = 1 + 0.3 * draw_normal(rng, 8)
    return pair(layer_norm(x, scale, torch.zeros(8)), rms_norm(x, scale))


@wrong("input_axis")
def standardised_by_rows(rng: Generator) -> Pair:
    """Rows are standardised instead of columns."""
    x = draw_normal(rng, 6, 6)
    return pair(standardise(x.T).T, standardise(x), inputs={"x": x}, reference=standardise, dim=0)


@wrong("input_axis")
def layer_norm_over_the_tokens(rng: Generator) -> Pair:
    """Mean and variance run over the tokens instead of the width."""
    x = draw_normal(rng, 2, 5, 7)
    centred = x - x.mean(1, keepdim=True)
    actual = centred / torch.sqrt(centred.square().mean(1, keepdim=True) + 1e-5)
    expected = layer_norm(x, torch.ones(7), torch.zeros(7))
    return pair(actual, expected, sizes={"B": 2, "L": 5, "D": 7}, dim=-1)


@wrong("input_axis")
def batch_norm_over_the_features(rng: Generator) -> Pair:
    """Each example is normalised over its features, like a layer norm."""
    x = 1 + draw_normal(rng, 7, 5)
    scale, shift = draw_affine(rng, 5)
    inputs = {"x": x, "scale": scale, "shift": shift}
    return pair(layer_norm(**inputs), batch_norm(**inputs), inputs=inputs, reference=batch_norm, dim=0)


@wrong("argument_ignored", "offset")
def batch_norm_without_shift(rng: Generator) -> Pair:
    """The learned shift is forgotten."""
    x = draw_normal(rng, 7, 5)
    scale, shift = draw_affine(rng, 5)
    inputs = {"x": x, "scale": scale, "shift": shift}
    actual = batch_norm(x, scale, torch.zeros(5))
    return pair(actual, batch_norm(**inputs), inputs=inputs, reference=batch_norm, dim=0)


@wrong("arguments_swapped")
def layer_norm_scale_and_shift_swapped(rng: Generator) -> Pair:
    """The shift scales, and the scale shifts."""
    x = draw_normal(rng, 4, 6)
    scale, shift = draw_affine(rng, 6)
    inputs = {"x": x, "scale": scale, "shift": shift}
    return pair(layer_norm(x, shift, scale), layer_norm(**inputs), inputs=inputs, reference=layer_norm, dim=-1)


@wrong("offset")
def standardised_without_centring(rng: Generator) -> Pair:
    """The mean is not subtracted, the deviation is divided by."""
    x = 4 + draw_normal(rng, 8, 3)
    return pair(x / x.std(0, correction=0), standardise(x), dim=0, sizes={"N": 8, "D": 3})


@wrong("not_finite", "some_rows")
def standardised_constant_column(rng: Generator) -> Pair:
    """A constant column is divided by its deviation of 0."""
    x = draw_normal(rng, 8, 4)
    x[:, 1] = 2.5
    deviation = x.std(0, correction=0)
    expected = (x - x.mean(0)) / torch.where(deviation == 0, torch.ones(4), deviation)
    return pair((x - x.mean(0)) / deviation, expected)


@wrong("unstable")
def variance_by_difference_of_squares(rng: Generator) -> Pair:
    """The mean of the squares minus the square of the mean: all digits cancel."""
    x = 3000 + draw_normal(rng, 20, 5)

    def spread(x: Tensor) -> Tensor:
        return x.var(0, correction=0)

    actual = (x * x).mean(0) - x.mean(0) ** 2
    return pair(actual, spread(x), inputs={"x": x}, reference=spread, dim=0)


@wrong("stateful", "accumulates")
def batch_norm_updates_in_evaluation(rng: Generator) -> Pair:
    """The running mean moves in evaluation too: the second call gives something else."""
    x, running = 1 + draw_normal(rng, 6, 5), torch.zeros(5)
    expected = x - running
    results = []
    for _ in range(2):
        results.append(x - running)
        running = 0.9 * running + 0.1 * x.mean(0)
    return pair(results[0], expected, again=results[1], sizes={"N": 6, "D": 5})


@wrong("factor")
def dropout_not_scaled(rng: Generator) -> Pair:
    """The kept values are not divided by the probability to keep."""
    x, keep = draw_normal(rng, 6, 7), torch.rand(6, 7, generator=rng) < 0.8
    return pair(x * keep, x * keep / 0.8)


@wrong("mask_inverted")
def dropout_keeps_the_dropped(rng: Generator) -> Pair:
    """The values to keep are dropped."""
    x, keep = draw_normal(rng, 6, 7), torch.rand(6, 7, generator=rng) < 0.5

    def drop(x: Tensor, keep: Tensor) -> Tensor:
        return x * keep / 0.5

    inputs = {"x": x, "keep": keep}
    return pair(drop(x, ~keep), drop(x, keep), inputs=inputs, reference=drop, mask="keep")


@wrong("factor", "variance")
def covariance_divided_by_n(rng: Generator) -> Pair:
    """The covariance is divided by N instead of N - 1; summed one example at a time."""
    x = draw_normal(rng, 7, 4)
    centred = x - x.mean(0)
    total = torch.zeros(4, 4)
    for row in centred:
        total += torch.outer(row, row)
    return pair(total / 7, torch.cov(x.T), sizes={"N": 7, "D": 4})


@wrong("transposed")
def principal_axes_in_columns(rng: Generator) -> Pair:
    """The principal axes are the columns of the result, asked for are rows."""
    x = draw_normal(rng, 12, 5, dtype=torch.float64)
    _, axes = torch.linalg.eigh(torch.cov(x.T))
    return pair(axes, axes.T)


@wrong("reversed")
def principal_axes_in_ascending_order(rng: Generator) -> Pair:
    """The eigenvalues are returned as they come, the smallest first."""
    x = draw_normal(rng, 12, 5, dtype=torch.float64)
    values = torch.linalg.eigvalsh(torch.cov(x.T))
    return pair(values, values.flip(0))
