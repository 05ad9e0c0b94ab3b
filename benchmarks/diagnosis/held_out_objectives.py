"""Wrong objectives: contrastive, distilled, generative, segmentation, margins."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import logsigmoid, softplus

from benchmarks.diagnosis.cases import Pair, draw_normal, pair, wrong


def contrast(x: Tensor, y: Tensor, temperature: float = 0.5) -> Tensor:
    """The right code: the loss of each pair of unit rows x[i], y[i] against all other y."""
    table = x @ y.T / temperature
    return torch.logsumexp(table, dim=1) - table.diagonal()


def draw_units(rng: Generator, rows: int = 6, width: int = 5) -> Tensor:
    """Rows of length 1."""
    x = draw_normal(rng, rows, width)
    return x / x.norm(dim=1, keepdim=True)


def soften(scores: Tensor, temperature: float = 1.0) -> Tensor:
    """The right code of a teacher's soft labels."""
    return torch.softmax(scores / temperature, dim=-1)


def latent_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """The right code: divergence of N(mean, exp(log_variance)) from N(0, 1) of each row."""
    return 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(1)


def sample_latent(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """The right code of the reparameterised sample."""
    return mean + torch.exp(0.5 * log_variance) * noise


def focal(scores: Tensor, labels: Tensor, gamma: float = 2.0) -> Tensor:
    """The right code of the focal loss of each binary score; labels are 0.0 or 1.0."""
    signed = (2 * labels - 1) * scores
    return -((1 - torch.sigmoid(signed)) ** gamma) * logsigmoid(signed)


def dice(p: Tensor, y: Tensor, smooth: float = 1.0) -> Tensor:
    """The right code: the dice loss of each image (N, H, W)."""
    return 1 - (2 * (p * y).sum((1, 2)) + smooth) / (p.sum((1, 2)) + y.sum((1, 2)) + smooth)


def triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 0.5) -> Tensor:
    """The right code of the triplet loss of each row."""
    near, far = (anchor - positive).norm(dim=1), (anchor - negative).norm(dim=1)
    return (near - far + margin).clamp(min=0)


def diffuse(x: Tensor, noise: Tensor, kept: Tensor) -> Tensor:
    """The right code: x of each row (N, D) noised so that the part kept (N,) of its variance is left."""
    return kept.sqrt()[:, None] * x + (1 - kept).sqrt()[:, None] * noise


def normal_log_density(x: Tensor, mean: Tensor, log_deviation: Tensor) -> Tensor:
    """The right code: the log-density of each row under a diagonal normal distribution."""
    z = (x - mean) / log_deviation.exp()
    return (-0.5 * z**2 - log_deviation - 0.5 * math.log(2 * math.pi)).sum(-1)


@wrong("softmax_axis")
def contrast_in_the_other_direction(rng: Generator) -> Pair:
    """The probabilities of the pairs run over the first batch instead of the second."""
    x, y = draw_units(rng), draw_units(rng)
    table = x @ y.T / 0.1
    return pair(torch.softmax(table, 0), torch.softmax(table, 1), dim=1)


@wrong("argument_ignored", "factor")
def contrast_without_temperature(rng: Generator) -> Pair:
    """The similarities are not divided by the temperature that is passed."""
    inputs = {"x": draw_units(rng), "y": draw_units(rng), "temperature": 0.2}

    def similarities(x: Tensor, y: Tensor, temperature: float = 1.0) -> Tensor:
        return x @ y.T / temperature

    return pair(inputs["x"] @ inputs["y"].T, similarities(**inputs), inputs=inputs, reference=similarities)


@wrong("none")
def contrast_without_the_positive(rng: Generator) -> Pair:
    """The denominator leaves out the pair itself."""
    inputs = {"x": draw_units(rng, 7), "y": draw_units(rng, 7)}
    table = inputs["x"] @ inputs["y"].T / 0.5
    others = table.masked_fill(torch.eye(7, dtype=torch.bool), -math.inf)
    actual = torch.logsumexp(others, 1) - table.diagonal()
    return pair(actual, contrast(**inputs), inputs=inputs, reference=contrast)


@wrong("sign")
def contrast_not_negated(rng: Generator) -> Pair:
    """The log-probability of each pair is returned as the loss."""
    x, y = draw_units(rng, 8), draw_units(rng, 8)
    return pair(torch.log_softmax(2 * x @ y.T, 1).diagonal(), contrast(x, y), sizes={"N": 8, "D": 5})


@wrong("factor")
def teacher_multiplied_by_temperature(rng: Generator) -> Pair:
    """The scores are multiplied by the temperature instead of divided."""
    scores = draw_normal(rng, 6, 7)
    inputs = {"scores": scores, "temperature": 3.0}
    return pair(soften(scores, 1 / 3), soften(scores, 3.0), inputs=inputs, reference=soften, dim=-1)


@wrong("log_or_exp")
def teacher_softened_twice(rng: Generator) -> Pair:
    """The teacher already gives probabilities, and they go through the softmax again."""
    scores = 2 * draw_normal(rng, 7, 5)
    return pair(soften(soften(scores)), soften(scores))


@wrong("factor")
def distillation_not_rescaled(rng: Generator) -> Pair:
    """The losses are not multiplied by the square of the temperature, 4."""
    teacher, student = draw_normal(rng, 8, 5), draw_normal(rng, 8, 5)
    loss = -(soften(teacher, 4.0) * torch.log_softmax(student / 4, -1)).sum(-1)
    return pair(loss, 16 * loss, sizes={"N": 8, "C": 5})


@wrong("sign")
def latent_divergence_negative(rng: Generator) -> Pair:
    """The bound is returned where its negative is the loss."""
    mean, log_variance = draw_normal(rng, 7, 4), draw_normal(rng, 7, 4)
    actual = 0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1)
    inputs = {"mean": mean, "log_variance": log_variance}
    return pair(actual, latent_divergence(**inputs), inputs=inputs, reference=latent_divergence)


@wrong("reduction", "factor")
def latent_divergence_averaged(rng: Generator) -> Pair:
    """The latent axes are averaged, not summed."""
    mean, log_variance = draw_normal(rng, 8, 6), draw_normal(rng, 8, 6)
    terms = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance)
    return pair(terms.mean(1), latent_divergence(mean, log_variance), sizes={"N": 8, "latent": 6}, dim=1)


@wrong("arguments_swapped")
def latent_divergence_with_swapped_heads(rng: Generator) -> Pair:
    """The two outputs of the encoder are unpacked in the wrong order."""
    inputs = {"mean": draw_normal(rng, 7, 4), "log_variance": draw_normal(rng, 7, 4)}
    actual = latent_divergence(inputs["log_variance"], inputs["mean"])
    return pair(actual, latent_divergence(**inputs), inputs=inputs, reference=latent_divergence)


@wrong("none")
def latent_sample_with_the_variance(rng: Generator) -> Pair:
    """The noise is multiplied by the variance, not its root."""
    mean, log_variance, noise = (draw_normal(rng, 6, 4) for _ in range(3))
    return pair(mean + log_variance.exp() * noise, sample_latent(mean, log_variance, noise))


@wrong("detached")
def latent_sample_without_gradient(rng: Generator) -> Pair:
    """The sample of the encoder is cut off: only the prior's term has a gradient."""
    mean, noise = draw_normal(rng, 6, 4).requires_grad_(), draw_normal(rng, 6, 4)
    log_variance = draw_normal(rng, 6, 4)

    def find_gradient(cut: bool) -> Tensor:
        z = sample_latent(mean, log_variance, noise)
        loss = (z.detach() if cut else z).tanh().square().sum() + latent_divergence(mean, log_variance).sum()
        return torch.autograd.grad(loss, mean)[0]

    return pair(find_gradient(True), find_gradient(False), sizes={"N": 6, "latent": 4})


@wrong("argument_ignored")
def focal_loss_without_focus(rng: Generator) -> Pair:
    """Gamma has no effect: it is the plain cross-entropy."""
    scores = draw_normal(rng, 9)
    labels = (torch.rand(9, generator=rng) < 0.5).float()
    inputs = {"scores": scores, "labels": labels, "gamma": 2.0}
    actual = -logsigmoid((2 * labels - 1) * scores)
    return pair(actual, focal(**inputs), inputs=inputs, reference=focal)


@wrong("unstable", "not_finite")
def softplus_overflows(rng: Generator) -> Pair:
    """The logarithm of 1 + exp(x) is written as it stands."""
    x = 90 * draw_normal(rng, 5, 6)
    inputs = {"input": x}
    return pair(torch.log(1 + x.exp()), softplus(x), inputs=inputs, reference=softplus)


@wrong("unstable")
def softplus_rounds_to_zero(rng: Generator) -> Pair:
    """For very negative values 1 + exp(x) is 1, and its logarithm 0; a relative tolerance shows it."""
    x = -25 * torch.rand(24, generator=rng)
    return pair(torch.log(1 + x.exp()), softplus(x), rtol=1e-4, atol=0.0)


@wrong("factor")
def dice_counts_the_overlap_once(rng: Generator) -> Pair:
    """The 2 is missing in the coefficient."""
    p = torch.rand(5, 4, 6, generator=rng)
    y = (torch.rand(5, 4, 6, generator=rng) < 0.5).float()
    total = p.sum((1, 2)) + y.sum((1, 2))
    return pair((p * y).sum((1, 2)) / total, 2 * (p * y).sum((1, 2)) / total)


@wrong("not_finite", "some_rows")
def dice_of_empty_images(rng: Generator) -> Pair:
    """Without smoothing an image without any object is 0 / 0."""
    p = torch.rand(5, 4, 6, generator=rng)
    y = (torch.rand(5, 4, 6, generator=rng) < 0.5).float()
    p[3], y[3] = 0, 0
    total = p.sum((1, 2)) + y.sum((1, 2))
    actual = 1 - 2 * (p * y).sum((1, 2)) / total
    expected = torch.where(total == 0, torch.zeros(5), actual)
    return pair(actual, expected, sizes={"N": 5, "H": 4, "W": 6})


@wrong("arguments_swapped")
def triplet_with_swapped_examples(rng: Generator) -> Pair:
    """Positive and negative examples are exchanged."""
    inputs = {name: draw_normal(rng, 8, 4) for name in ("anchor", "positive", "negative")}
    actual = triplet(inputs["anchor"], inputs["negative"], inputs["positive"])
    return pair(actual, triplet(**inputs), inputs=inputs, reference=triplet)


@wrong("offset")
def hinge_without_margin(rng: Generator) -> Pair:
    """The margin is left out before anything is clamped."""
    near, far = torch.rand(9, generator=rng), 0.5 * torch.rand(9, generator=rng)
    return pair(near - far, near - far + 1.0)


@wrong("none", "some_rows")
def huber_with_another_branch(rng: Generator) -> Pair:
    """The linear branch lacks its constant: the two parts do not meet."""
    x = 2 * draw_normal(rng, 12)
    quadratic = 0.5 * x**2
    return pair(torch.where(x.abs() <= 1, quadratic, x.abs()), torch.where(x.abs() <= 1, quadratic, x.abs() - 0.5))


@wrong("known_mistake")
def noise_added_without_roots(rng: Generator) -> Pair:
    """Signal and noise are weighted with the variances, not their roots."""
    x, noise, kept = draw_normal(rng, 6, 5), draw_normal(rng, 6, 5), torch.rand(6, generator=rng)
    linear = kept[:, None] * x + (1 - kept)[:, None] * noise
    mistakes = {
        "Which part of the variance belongs to the signal, which to the noise?": diffuse(x, noise, 1 - kept),
        "The schedule gives variances. What multiplies a value to scale its variance?": linear,
    }
    return pair(linear, diffuse(x, noise, kept), mistakes=mistakes, sizes={"N": 6, "D": 5})


@wrong("shape")
def noise_with_a_schedule_that_broadcasts(rng: Generator) -> Pair:
    """The schedule (N,) is multiplied with images (C, N) from the wrong side: an axis too many."""
    x, kept = draw_normal(rng, 6, 5), torch.rand(6, generator=rng)
    return pair(kept.sqrt()[:, None, None] * x, kept.sqrt()[:, None] * x, sizes={"N": 6, "D": 5})


@wrong("offset")
def density_without_the_constant(rng: Generator) -> Pair:
    """The term with 2 pi is left out of the log-density."""
    inputs = {"x": draw_normal(rng, 7, 3), "mean": draw_normal(rng, 7, 3), "log_deviation": draw_normal(rng, 7, 3)}
    z = (inputs["x"] - inputs["mean"]) / inputs["log_deviation"].exp()
    actual = (-0.5 * z**2 - inputs["log_deviation"]).sum(-1)
    return pair(actual, normal_log_density(**inputs), inputs=inputs, reference=normal_log_density)


@wrong("log_or_exp")
def density_in_place_of_its_logarithm(rng: Generator) -> Pair:
    """The density itself is returned."""
    inputs = {"x": draw_normal(rng, 7, 3), "mean": draw_normal(rng, 7, 3), "log_deviation": draw_normal(rng, 7, 3)}
    expected = normal_log_density(**inputs)
    return pair(expected.exp(), expected, sizes={"N": 7, "D": 3}, dim=-1)


@wrong("dtype")
def discriminator_labels_as_integers(rng: Generator) -> Pair:
    """The targets 1 and 0 of real and fake are whole numbers where floats are asked for."""
    return pair(torch.tensor([1] * 5 + [0] * 4), torch.cat([torch.ones(5), torch.zeros(4)]))
