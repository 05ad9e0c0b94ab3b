"""Wrong preparation and measuring: one-hot labels, similarities, boxes, metrics, targets."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from benchmarks.diagnosis.cases import Pair, draw_normal, pair, wrong


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """The right code: int64 (N, C)."""
    return (labels[:, None] == torch.arange(classes)).long()


def cosine(x: Tensor, y: Tensor) -> Tensor:
    """The right code: similarities of all rows of x (N, D) with all rows of y (M, D)."""
    return (x @ y.T) / (x.norm(dim=1)[:, None] * y.norm(dim=1))


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """The right code: intersection over union of boxes (N, 4) given by their corners."""
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    areas = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1)
    return shared / (areas - shared)


def draw_boxes(rng: Generator, count: int = 7) -> Tensor:
    """Boxes (count, 4) of corners: left, top, right, bottom."""
    corner = torch.rand(count, 2, generator=rng)
    return torch.cat([corner, corner + 0.3 + torch.rand(count, 2, generator=rng)], 1)


def precision_of_classes(predicted: Tensor, labels: Tensor, classes: int = 4) -> Tensor:
    """The right code: of what is predicted as a class, the part that is right; float64 (C,)."""
    right = one_hot(predicted, classes) * one_hot(labels, classes)
    return right.sum(0).double() / one_hot(predicted, classes).sum(0).clamp(min=1)


def draw_labels(rng: Generator, count: int = 40, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Predictions and labels (count,), about half of them equal."""
    labels = torch.randint(classes, (count,), generator=rng)
    noise = torch.randint(classes, (count,), generator=rng)
    return torch.where(torch.rand(count, generator=rng) < 0.5, labels, noise), labels


@wrong("dtype")
def one_hot_as_float(rng: Generator) -> Pair:
    """The table is float where whole numbers are asked for."""
    labels = torch.randint(5, (7,), generator=rng)
    return pair(torch.eye(5)[labels], one_hot(labels, 5), sizes={"N": 7, "C": 5})


@wrong("rolled")
def one_hot_counted_from_one(rng: Generator) -> Pair:
    """Class 1 is taken to be the first: everything moves by one."""
    labels = torch.randint(5, (9,), generator=rng)
    return pair(one_hot((labels - 1) % 5, 5), one_hot(labels, 5))


@wrong("shape", "transposed")
def one_hot_in_columns(rng: Generator) -> Pair:
    """Each example is a column."""
    labels = torch.randint(4, (9,), generator=rng)
    inputs = {"labels": labels, "classes": 4}
    return pair(one_hot(labels, 4).T, one_hot(labels, 4), inputs=inputs, reference=one_hot)


@wrong("transposed", "arguments_swapped")
def cosine_of_the_other_side(rng: Generator) -> Pair:
    """The table has rows of y and columns of x; there are as many of each."""
    inputs = {"x": draw_normal(rng, 6, 4), "y": draw_normal(rng, 6, 4)}
    return pair(cosine(inputs["y"], inputs["x"]), cosine(**inputs), inputs=inputs, reference=cosine)


@wrong("none")
def cosine_without_one_norm(rng: Generator) -> Pair:
    """Only the rows of x are divided by their norm."""
    inputs = {"x": draw_normal(rng, 6, 4), "y": draw_normal(rng, 7, 4)}
    actual = (inputs["x"] @ inputs["y"].T) / inputs["x"].norm(dim=1)[:, None]
    return pair(actual, cosine(**inputs), inputs=inputs, reference=cosine)


@wrong("not_finite", "some_rows")
def cosine_of_a_zero_vector(rng: Generator) -> Pair:
    """A row of zeros is divided by its norm."""
    x, y = draw_normal(rng, 6, 4), draw_normal(rng, 7, 4)
    x[4] = 0
    return pair(cosine(x, y), cosine(x, y).nan_to_num(nan=0.0), sizes={"N": 6, "M": 7, "D": 4})


@wrong("none")
def overlap_with_shared_area_twice(rng: Generator) -> Pair:
    """The union counts the shared area twice."""
    a, b = draw_boxes(rng), draw_boxes(rng)
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    actual = shared / ((a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1))
    return pair(actual, overlap(a, b), inputs={"a": a, "b": b}, reference=overlap)


@wrong("some_rows")
def overlap_of_boxes_apart(rng: Generator) -> Pair:
    """Boxes that do not touch have two negative sides, whose product is positive."""
    a, b = draw_boxes(rng, 8), draw_boxes(rng, 8)
    b[[2, 5]] += 3
    low, high = torch.maximum(a[:, :2], b[:, :2]), torch.minimum(a[:, 2:], b[:, 2:])
    shared = (high - low).prod(1)
    areas = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1)
    return pair(shared / (areas - shared), overlap(a, b))


@wrong("arguments_swapped")
def precision_is_recall(rng: Generator) -> Pair:
    """Predictions and labels are exchanged: it is the recall."""
    predicted, labels = draw_labels(rng, 57)
    inputs = {"predicted": predicted, "labels": labels}
    actual = precision_of_classes(labels, predicted)
    return pair(actual, precision_of_classes(**inputs), inputs=inputs, reference=precision_of_classes)


@wrong("factor")
def accuracy_in_percent(rng: Generator) -> Pair:
    """The accuracies of the classes are given in percent."""
    predicted, labels = draw_labels(rng)
    right = precision_of_classes(labels, predicted)
    return pair(100 * right, right, sizes={"N": 40, "C": 4})


@wrong("reduction", "factor")
def confusion_counts_as_fractions(rng: Generator) -> Pair:
    """The counts are averaged over the examples where sums are asked for, in float64."""
    predicted, labels = draw_labels(rng)
    table = one_hot(labels, 4).double()[:, :, None] * one_hot(predicted, 4).double()[:, None, :]
    return pair(table.mean(0), table.sum(0), sizes={"N": 40, "C": 4}, dim=0)


@wrong("dtype")
def accuracy_as_whole_number(rng: Generator) -> Pair:
    """The share of right answers is cut to a whole number."""
    predicted, labels = draw_labels(rng)
    right = (predicted == labels).reshape(8, 5)
    return pair(right.sum(1) // 5, right.float().mean(1))


@wrong("mask_inverted")
def mean_of_the_pads(rng: Generator) -> Pair:
    """The tokens that are pads are averaged."""
    x, lengths = draw_normal(rng, 4, 6, 3), torch.tensor([2, 5, 3, 1])
    real = torch.arange(6) < lengths[:, None]

    def average(x: Tensor, real: Tensor) -> Tensor:
        return (x * real[..., None]).sum(1) / real.sum(1, keepdim=True)

    inputs = {"x": x, "real": real}
    return pair(average(x, ~real), average(x, real), inputs=inputs, reference=average, mask="real")


@wrong("mask_off_by_one")
def mean_with_one_pad(rng: Generator) -> Pair:
    """The first pad is averaged too."""
    x, lengths = draw_normal(rng, 4, 7, 3), torch.tensor([2, 5, 3, 1])

    def average(x: Tensor, real: Tensor) -> Tensor:
        return (x * real[..., None]).sum(1) / real.sum(1, keepdim=True)

    real = torch.arange(7) < lengths[:, None]
    actual = average(x, torch.arange(7) <= lengths[:, None])
    return pair(actual, average(x, real), inputs={"x": x, "real": real}, reference=average, mask="real")


@wrong("rolled")
def targets_are_the_inputs(rng: Generator) -> Pair:
    """The language model's targets are the tokens themselves, not those that follow."""
    ids = torch.randint(1, 50, (4, 10), generator=rng)
    return pair(ids[:, :-1], ids[:, 1:], sizes={"B": 4, "L": 9})


@wrong("log_or_exp")
def deviations_from_log_variances(rng: Generator) -> Pair:
    """The log-variances are halved but not put through the exponential."""
    log_variance = draw_normal(rng, 6, 4)
    return pair(0.5 * log_variance, torch.exp(0.5 * log_variance))


@wrong("shape")
def scores_with_a_last_axis(rng: Generator) -> Pair:
    """A linear layer with one output leaves an axis of length 1."""
    x, weight = draw_normal(rng, 7, 4), draw_normal(rng, 4, 1)
    return pair(x @ weight, (x @ weight)[:, 0])


@wrong("offset")
def labels_counted_from_one(rng: Generator) -> Pair:
    """The predicted classes are counted from 1."""
    scores = draw_normal(rng, 9, 5)
    return pair(scores.argmax(1) + 1, scores.argmax(1))


@wrong("constant")
def always_the_same_class(rng: Generator) -> Pair:
    """The largest class of the batch's mean is predicted for every row."""
    scores = draw_normal(rng, 9, 5)
    return pair(scores.mean(0).argmax().expand(9), scores.argmax(1), sizes={"N": 9, "C": 5})
