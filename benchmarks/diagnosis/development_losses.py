"""Wrong losses and class probabilities."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from benchmarks.diagnosis.cases import Pair, draw_normal, pair, wrong


def draw_scores(rng: Generator, rows: int = 6, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Scores (rows, classes) and labels (rows,)."""
    return draw_normal(rng, rows, classes), torch.randint(classes, (rows,), generator=rng)


def softmax(x: Tensor) -> Tensor:
    """The right code of a stable softmax over the last axis."""
    e = torch.exp(x - x.amax(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True)


def log_softmax(x: Tensor) -> Tensor:
    """The right code of a stable log-softmax over the last axis."""
    moved = x - x.amax(-1, keepdim=True)
    return moved - moved.exp().sum(-1, keepdim=True).log()


def losses_of_rows(scores: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy of each row."""
    return -log_softmax(scores)[torch.arange(len(labels)), labels]


def cross_entropy(scores: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """The right code: the mean cross-entropy, with label smoothing."""
    classes = scores.shape[-1]
    target = torch.eye(classes)[labels] * (1 - smoothing) + smoothing / classes
    return -(target * log_softmax(scores)).sum(-1).mean()


def binary_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """The right code: stable binary cross-entropy of each score."""
    return scores.clamp(min=0) - scores * labels + torch.log1p(torch.exp(-scores.abs()))


@wrong("unstable", "not_finite")
def softmax_overflows(rng: Generator) -> Pair:
    """The largest score is not subtracted before the exponential."""
    x = 80 * draw_normal(rng, 5, 7)
    return pair(x.exp() / x.exp().sum(-1, keepdim=True), softmax(x), inputs={"x": x}, reference=softmax)


@wrong("unstable", "not_finite")
def log_of_softmax_underflows(rng: Generator) -> Pair:
    """The logarithm of a softmax gives -inf where the probability underflows."""
    x = 60 * draw_normal(rng, 6, 5)
    return pair(softmax(x).log(), log_softmax(x), sizes={"N": 6, "C": 5}, dim=-1)


@wrong("unstable")
def log_softmax_loses_digits(rng: Generator) -> Pair:
    """A small constant inside the logarithm bounds the log-probabilities."""
    x = 30 * draw_normal(rng, 6, 5)
    return pair((softmax(x) + 1e-8).log(), log_softmax(x), inputs={"x": x}, reference=log_softmax)


@wrong("softmax_axis")
def softmax_over_the_batch(rng: Generator) -> Pair:
    """The softmax runs over the rows of the batch."""
    x = draw_normal(rng, 6, 4)
    return pair(torch.softmax(x, 0), softmax(x))


@wrong("softmax_axis")
def log_softmax_over_the_batch(rng: Generator) -> Pair:
    """The log-softmax runs over the batch, of as many rows as classes."""
    x = draw_normal(rng, 5, 5)
    return pair(torch.log_softmax(x, 0), log_softmax(x), sizes={"N": 5, "C": 5}, dim=1)


@wrong("softmax_axis")
def softmax_of_pixels_over_channels(rng: Generator) -> Pair:
    """Each pixel's scores are normalised over the columns of the image instead of the classes."""
    x = draw_normal(rng, 2, 3, 5, 4)
    return pair(torch.softmax(x, 3), torch.softmax(x, 1), dim=1)


@wrong("log_or_exp")
def softmax_twice(rng: Generator) -> Pair:
    """The softmax is applied to probabilities."""
    x = draw_normal(rng, 6, 4)
    return pair(softmax(softmax(x)), softmax(x), sizes={"N": 6, "C": 4}, dim=-1)


@wrong("log_or_exp")
def log_softmax_returned_as_softmax(rng: Generator) -> Pair:
    """Log-probabilities are returned where probabilities are asked for."""
    x = draw_normal(rng, 6, 4)
    return pair(torch.log_softmax(x, -1), softmax(x))


@wrong("log_or_exp")
def likelihood_without_logarithm(rng: Generator) -> Pair:
    """The loss of each row is minus its probability: the logarithm is missing."""
    scores, labels = draw_scores(rng)
    actual = -softmax(scores)[torch.arange(6), labels]
    inputs = {"scores": scores, "labels": labels}
    return pair(actual, losses_of_rows(scores, labels), inputs=inputs, reference=losses_of_rows)


@wrong("sign")
def likelihood_not_negated(rng: Generator) -> Pair:
    """The log-likelihood of each row is not negated."""
    scores, labels = draw_scores(rng)
    return pair(log_softmax(scores)[torch.arange(6), labels], losses_of_rows(scores, labels))


@wrong("reduction", "factor")
def cross_entropy_summed(rng: Generator) -> Pair:
    """The loss is summed over the batch instead of averaged."""
    scores, labels = draw_scores(rng, 7, 4)
    return pair(losses_of_rows(scores, labels).sum(), cross_entropy(scores, labels), sizes={"N": 7, "C": 4})


@wrong("reduction", "factor")
def cross_entropy_averaged_over_classes(rng: Generator) -> Pair:
    """The mean is taken over rows and classes: too small by the number of classes."""
    scores, labels = draw_scores(rng, 7, 5)
    actual = -(torch.eye(5)[labels] * log_softmax(scores)).mean()
    inputs = {"scores": scores, "labels": labels}
    expected = cross_entropy(scores, labels)
    return pair(actual, expected, inputs=inputs, reference=cross_entropy, sizes={"N": 7, "C": 5})


@wrong("shape")
def cross_entropy_not_reduced(rng: Generator) -> Pair:
    """The losses of the rows are returned, not their mean."""
    scores, labels = draw_scores(rng)
    return pair(losses_of_rows(scores, labels), cross_entropy(scores, labels))


@wrong("argument_ignored")
def cross_entropy_without_smoothing(rng: Generator) -> Pair:
    """The label smoothing has no effect."""
    scores, labels = draw_scores(rng)
    inputs = {"scores": scores, "labels": labels, "smoothing": 0.2}
    return pair(cross_entropy(scores, labels), cross_entropy(**inputs), inputs=inputs, reference=cross_entropy)


@wrong("none")
def cross_entropy_smoothed_over_the_others(rng: Generator) -> Pair:
    """The smoothing is shared by the wrong classes only."""
    scores, labels = draw_scores(rng)
    hot = torch.eye(4)[labels]
    target = hot * 0.8 + (1 - hot) * 0.2 / 3
    inputs = {"scores": scores, "labels": labels, "smoothing": 0.2}
    actual = -(target * log_softmax(scores)).sum(-1).mean()
    return pair(actual, cross_entropy(**inputs), inputs=inputs, reference=cross_entropy)


@wrong("none")
def cross_entropy_of_the_wrong_labels(rng: Generator) -> Pair:
    """The labels belong to other rows: the batch was shuffled without them."""
    scores, labels = draw_scores(rng, 8, 5)
    order = torch.randperm(8, generator=rng)
    return pair(losses_of_rows(scores, labels[order]), losses_of_rows(scores, labels))


@wrong("factor")
def squared_error_halved(rng: Generator) -> Pair:
    """The squared errors are halved."""
    x, y = draw_normal(rng, 8), draw_normal(rng, 8)
    return pair(0.5 * (x - y) ** 2, (x - y) ** 2)


@wrong("shape")
def squared_error_broadcast(rng: Generator) -> Pair:
    """Predictions (N, 1) and targets (N,) broadcast to a table of all pairs."""
    x, y = draw_normal(rng, 7, 1), draw_normal(rng, 7)
    return pair((x - y) ** 2, (x[:, 0] - y) ** 2, sizes={"N": 7})


@wrong("known_mistake")
def squared_error_broadcast_and_averaged(rng: Generator) -> Pair:
    """Predictions (N, 1) and targets (N,) broadcast before the mean, which hides the shape."""
    x, y = draw_normal(rng, 7, 1), draw_normal(rng, 7)
    table = (x - y) ** 2
    mistakes = {
        "Do predictions and targets have the same shape before you subtract them?": table.mean(),
        "Is it the absolute or the squared difference?": (x[:, 0] - y).abs().mean(),
    }
    return pair(table.mean(), ((x[:, 0] - y) ** 2).mean(), mistakes=mistakes, sizes={"N": 7})


@wrong("reduction", "factor")
def squared_error_of_rows_averaged(rng: Generator) -> Pair:
    """Each row's squared distance is averaged over the features, not summed."""
    x, y = draw_normal(rng, 9, 6), draw_normal(rng, 9, 6)
    return pair(((x - y) ** 2).mean(-1), ((x - y) ** 2).sum(-1), sizes={"N": 9, "features": 6}, dim=-1)


@wrong("unstable", "not_finite")
def binary_cross_entropy_saturates(rng: Generator) -> Pair:
    """The logarithm of a saturated sigmoid."""
    scores = 100 * draw_normal(rng, 12)
    labels = (scores < 0).float()
    p = torch.sigmoid(scores)
    actual = -(labels * p.log() + (1 - labels) * (1 - p).log())
    inputs = {"scores": scores, "labels": labels}
    expected = binary_cross_entropy(scores, labels)
    return pair(actual, expected, inputs=inputs, reference=binary_cross_entropy)


@wrong("arguments_swapped")
def divergence_in_the_other_direction(rng: Generator) -> Pair:
    """The divergence of q from p in place of that of p from q."""
    p, q = softmax(draw_normal(rng, 6, 5)), softmax(draw_normal(rng, 6, 5))

    def divergence(p: Tensor, q: Tensor) -> Tensor:
        return (p * (p / q).log()).sum(-1)

    return pair(divergence(q, p), divergence(p, q), inputs={"p": p, "q": q}, reference=divergence, dim=-1)


@wrong("not_finite", "some_rows")
def entropy_of_a_certain_row(rng: Generator) -> Pair:
    """0 * log(0) is NaN: rows with a probability of 0 have no entropy."""
    p = softmax(draw_normal(rng, 6, 4))
    p[2] = torch.tensor([0.0, 1.0, 0.0, 0.0])

    def entropy(p: Tensor) -> Tensor:
        return torch.special.entr(p).sum(-1)

    return pair(-(p * p.log()).sum(-1), entropy(p), inputs={"p": p}, reference=entropy)


@wrong("factor")
def entropy_in_bits(rng: Generator) -> Pair:
    """The logarithm has base 2."""
    p = softmax(draw_normal(rng, 7, 5))
    return pair(-(p * p.log2()).sum(-1), torch.special.entr(p).sum(-1), sizes={"N": 7, "C": 5}, dim=-1)


@wrong("some_rows")
def last_batch_left_out(rng: Generator) -> Pair:
    """The loop over batches of 4 drops the last, smaller one: its losses stay 0."""
    scores, labels = draw_scores(rng, 11, 4)
    expected = losses_of_rows(scores, labels)
    actual = torch.zeros(11)
    for start in range(0, 11 - 4 + 1, 4):
        actual[start : start + 4] = losses_of_rows(scores[start : start + 4], labels[start : start + 4])
    return pair(actual, expected, sizes={"N": 11, "batch": 4})


@wrong("constant")
def loss_of_a_uniform_guess(rng: Generator) -> Pair:
    """Every row has the loss ln C: the scores were all put to 0."""
    scores, labels = draw_scores(rng, 9, 4)
    return pair(torch.full((9,), math.log(4)), losses_of_rows(scores, labels), sizes={"N": 9, "C": 4})


@wrong("sign")
def softmax_of_negated_scores(rng: Generator) -> Pair:
    """Distances are turned into probabilities without a minus: the farthest gets the most."""
    distances = draw_normal(rng, 6, 5).abs()

    def nearness(distances: Tensor) -> Tensor:
        return softmax(-distances)

    actual = softmax(distances)
    return pair(actual, nearness(distances), inputs={"distances": distances}, reference=nearness, dim=-1)
