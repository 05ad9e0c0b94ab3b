"""Measures predictions outside of the student's process, with torchmetrics, after a look at what they are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tensorgrade.checks.closeness import EXACT, assert_finite, assert_shape, unpack_tensors
from tensorgrade.errors import CheckFailure


def measure(
    metric: str, predictions: object, targets: Tensor, *, n_classes: int | None = None, **options: Any
) -> float:
    """A metric of predictions, as torchmetrics defines it.

    Args:
        metric: a function of `torchmetrics.functional`: "accuracy", "f1_score", "auroc", "mean_squared_error", ...
        predictions: from the submission. Of classes: whole numbers from 0 to `n_classes` - 1, shape of `targets`, or
            logits or probabilities, shape (n, n_classes). Of numbers: floating point, shape of `targets`.
        targets: the hidden labels, shape (n,), or the hidden numbers, any shape.
        n_classes: of a classification; None: the targets are numbers.
        options: for torchmetrics, such as `average="macro"`.

    Returns:
        The value, as torchmetrics gives it: an accuracy lies between 0 and 1.

    Raises:
        CheckFailure: the predictions are not a tensor of such a shape and dtype, hold NaN or infinity, or a class that
            does not exist.
        ValueError: the metric gives no single number.

    Source: torchmetrics, https://lightning.ai/docs/torchmetrics
    """
    import torchmetrics.functional as metrics  # takes a second: not for the checks that need none

    if n_classes is None:
        plain = _numbers(predictions, targets)
    else:
        plain = _classes(predictions, targets, n_classes)
        options = {"task": "multiclass", "num_classes": n_classes, **options}
    value = torch.as_tensor(getattr(metrics, metric)(plain, targets, **options))
    if value.numel() != 1:
        raise ValueError(f"measure({metric!r}): expected one number, got shape {tuple(value.shape)}; set average=...")
    return float(value)


def _numbers(predictions: object, targets: Tensor) -> Tensor:
    name = "the predictions"
    assert_shape(predictions, targets.shape, name=name)
    assert_finite(predictions, name=name)
    (plain,) = unpack_tensors((predictions,), name)
    if not plain.is_floating_point():
        text = f"{name} must be floating point numbers"
        raise CheckFailure(f"{text}, got {plain.dtype}", f"{text}.")
    return plain.to(targets.dtype)


def _classes(predictions: object, targets: Tensor, n_classes: int) -> Tensor:
    name = "the predictions"
    assert_finite(predictions, name=name)
    (plain,) = unpack_tensors((predictions,), name)
    if plain.is_floating_point():
        assert_shape(plain, (*targets.shape, n_classes), name=name)
        # Of two equal logits the first counts: a constant output is the guess of one class. float64 keeps the order.
        return plain.double()
    assert_shape(plain, targets.shape, name=name)
    if plain.dtype not in EXACT[1:] or (plain.numel() and not (plain.min() >= 0 and plain.max() < n_classes)):
        text = f"{name} must be classes from 0 to {n_classes - 1}"
        raise CheckFailure(f"{text}, got {plain.dtype}, {plain.min()} to {plain.max()}", f"{text}, as whole numbers.")
    return plain.long()
