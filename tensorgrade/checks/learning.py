"""Checks of training: its beginning, its course, its budget, and what it must not have seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tensorgrade.checks.closeness import assert_finite, assert_shape, unpack_tensors
from tensorgrade.checks.gradients import weights_of
from tensorgrade.checks.results import Inputs, as_tuple
from tensorgrade.checks.sides import Side
from tensorgrade.checks.values import is_plain, is_same
from tensorgrade.errors import CheckFailure

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Budget:
    """What a training may use.

    Attributes:
        epochs: passes over the training data.
        cpu_seconds: CPU time of all epochs together, in seconds; below that of `@pytest.mark.budget`, which stops
            the check.
    """

    epochs: int
    cpu_seconds: float


@dataclass(frozen=True)
class Recipe:
    """How a check itself trains a module.

    Attributes:
        loss: of (outputs, targets); its value is a mean, so that it does not grow with the batch.
        steps: of Adam, all on the same batch.
        lr: learning rate of Adam (no unit).
    """

    loss: Loss = cross_entropy
    steps: int = 150
    lr: float = 1e-2


def assert_initial_loss(
    draw: Callable[[], object], n_classes: int, *, atol: float = 0.5, tries: int = 9, name: str = "the logits"
) -> None:
    """Check that an untrained classifier guesses: its cross-entropy is near ln C.

    Args:
        draw: makes a new model and returns its logits, shape (batch, classes), or a loss, shape ().
        n_classes: C, at least 2.
        atol: allowed difference from ln C. 0.5: a default linear layer adds logits of variance 1/3 or less, which
            cost about 0.17.
        tries: how many models are drawn; the median of their losses counts, so that no unlucky one decides.
        name: what the task calls the logits.

    Raises:
        CheckFailure: not a finite tensor of that shape, probabilities in place of logits, or another loss.

    Source: the cross-entropy of equal chances is -ln(1/C); Stanford CS231n, notes on neural networks 3, "Sanity
        checks".
    """
    losses = sorted(_guessing_loss(draw(), n_classes, name) for _ in range(tries))
    loss = losses[tries // 2]
    if not abs(loss - math.log(n_classes)) <= atol:
        kind = "larger" if loss > math.log(n_classes) else "smaller"
        hint = (
            f"Before training the cross-entropy must be near ln C, as for guessing; it is {kind}. "
            "Are the first weights too large, or is the loss not a mean over the batch?"
        )
        raise CheckFailure(f"median loss {loss:.4f}, expected about {math.log(n_classes):.4f}", hint)


def assert_loss_falls(losses: object, *, factor: float = 0.5, name: str = "the loss") -> None:
    """Check that the losses of a training go down: the last tenth lies below the first tenth.

    The losses were measured beside the student's code: rest no grade on them alone.

    Args:
        losses: from the submission: numbers in a list or tuple, or a tensor of one axis; two at least.
        factor: the mean of the last tenth may be at most this part of the mean of the first (for a negative loss: must
            lie lower by at least the other part of its size).
        name: what the task calls the loss.

    Raises:
        CheckFailure: no such numbers, NaN or infinity, or losses that do not fall.
    """
    values = _numbers(losses, name)
    tenth = max(1, len(values) // 10)
    first, last = sum(values[:tenth]) / tenth, sum(values[-tenth:]) / tenth
    if not last <= first - (1 - factor) * abs(first):
        kind = "does not fall" if last > 0.98 * first else "falls too little"
        hint = (
            f"{name} {kind} in {len(values)} steps. Is zero_grad() called before backward(), step() after it, and are "
            "the parameters of the model those of the optimiser?"
        )
        raise CheckFailure(f"{name}: {first:.4g} in the first tenth, {last:.4g} in the last, factor {factor}", hint)


def assert_overfits(
    student: Side, module: Any, inputs: Inputs, targets: Tensor, *, recipe: Recipe | None = None, factor: float = 0.1
) -> None:
    """Check that a module can learn one small batch by heart: it is wired up, and gradients reach what matters.

    The training loop, the loss and the targets stay on this side; only the gradient of the loss with respect to the
    output is sent. It stops as soon as the loss is low enough.

    Args:
        student: runs forward and backward passes, and copies weights. It is left seeded with another number.
        module: in the mode it shall have: dropout makes this harder. Its weights are changed.
        inputs: of one call: the batch.
        targets: of the loss, such as class labels, shape (batch,).
        recipe: loss, steps and learning rate; None: cross-entropy, 150, 0.01.
        factor: the loss has to come down to this part of its first value.

    Raises:
        CheckFailure: an output or a gradient is not finite, nothing learns, or the loss stays too high.

    Source: Stanford CS231n, notes on neural networks 3, "Overfit a tiny subset of data".
    """
    recipe = recipe or Recipe()
    arguments = as_tuple(inputs)
    first, loss = math.nan, math.nan
    weights: dict[str, Tensor] = {}
    optimiser: torch.optim.Optimizer | None = None
    for step in range(recipe.steps + 1):
        student.seed(step)  # twice, so that dropout drops the same in both passes
        loss, along = _loss_and_gradient(module(*arguments), targets, recipe.loss)
        first = loss if step == 0 else first
        if loss <= factor * first:
            return
        student.seed(step)
        student.gradients(module, arguments, along)
        found = student.parameter_gradients(module)
        if optimiser is None:
            if not any(gradient is not None for gradient in found.values()):
                hint = "No gradient reaches any parameter. Is the result detached?"
                raise CheckFailure("no parameter has a gradient", hint)
            weights = {name: weight.requires_grad_() for name, weight in weights_of(module, found).items()}
            optimiser = torch.optim.Adam(weights.values(), lr=recipe.lr)
        _set_gradients(weights, found)
        optimiser.step()
        student.copy_weights(module, {name: weight.detach() for name, weight in weights.items()})
    hint = (
        f"{recipe.steps} steps on one small batch leave the loss at {100 * loss / first:.0f} % of its first value: the "
        "model cannot learn it by heart. Is part of it detached, does the output depend on the input, is a softmax too "
        "many at the end?"
    )
    raise CheckFailure(f"loss {first:.4g} before, {loss:.4g} after {recipe.steps} steps, factor {factor}", hint)


def train_under_budget(
    student: Side, train_epoch: Callable[[int], object], budget: Budget, *, least_epochs: int = 1
) -> int:
    """Train epoch by epoch until the epochs or the CPU seconds are used up.

    An epoch that has begun is not stopped here: `@pytest.mark.budget` does that, from outside.

    Args:
        student: says how much CPU time it has used. A process that lies gains no more than the budget of the check.
        train_epoch: trains for the epoch of a number, from 0.
        budget: what may be used.
        least_epochs: so many have to be done.

    Returns:
        The number of epochs that were done.

    Raises:
        CheckFailure: fewer than `least_epochs` fit into the CPU seconds.
    """
    started = student.cpu_seconds()
    done = 0
    while done < budget.epochs:
        train_epoch(done)
        done += 1
        if not student.cpu_seconds() - started < budget.cpu_seconds:
            break
    if done < least_epochs:
        hint = (
            f"The time was up after {done} of {budget.epochs} epochs; {least_epochs} have to fit into "
            f"{budget.cpu_seconds:g} CPU seconds. Is there a Python loop over rows or elements in the training step?"
        )
        raise CheckFailure(f"{done} epochs within {budget.cpu_seconds:g} CPU seconds", hint)
    return done


def assert_no_leakage(fit: Callable[[Any, Any], object], train: Any, test: Any, *, poisoned: Any = None) -> None:
    """Check that what is fitted to the training set does not change with the test set.

    Args:
        fit: takes a training set and a test set, and returns what was fitted, or made of the training set: mean and
            deviation, a vocabulary, the normalised training data; tensors and plain values, nested at will. A
            function that takes only the training set cannot leak this way.
        train: a training set, anything that `fit` takes.
        test: a test set.
        poisoned: a test set of the same form that is very different, with words of its own, say. None: `test` must be a
            floating point tensor, and becomes 1000 times as large, and 1000 more.

    Raises:
        CheckFailure: what was fitted changes with the test set, holds NaN, is no plain value, or does not depend on
            the training set either.
        ValueError: there is no poisoned test set, and none can be made.

    Source: Kaufman et al., Leakage in Data Mining, 2012; the scikit-learn guide, "Common pitfalls", data leakage.
    """
    if poisoned is None:
        if not (isinstance(test, Tensor) and test.is_floating_point()):
            raise ValueError(
                "expected poisoned=..., a very different test set, for data that is no floating point tensor"
            )
        poisoned = 1000 * test + 1000
    fitted = fit(train, test)
    if not is_plain(fitted):
        raise CheckFailure("what was fitted is no plain value", "Return what was fitted as tensors, numbers or lists.")
    # 1e-4: the same sums in another order; the poison shows in the first digit.
    if not is_same(fit(train, poisoned), fitted, rtol=1e-4):
        hint = (
            "What is fitted changes when only the test set changes. Fit mean, deviation or vocabulary to the training "
            "set alone, then apply them to both."
        )
        raise CheckFailure("fitted differently with a poisoned test set, or NaN", hint)
    if is_same(fit(poisoned, test), fitted, rtol=1e-4):
        hint = "What is fitted does not depend on the training set. Is it computed from the data at all?"
        raise CheckFailure("fitted the same to another training set", hint)


def _guessing_loss(drawn: object, n_classes: int, name: str) -> float:
    """A loss as it is; for logits the cross-entropy, over all classes, so that no luck of labels is in it."""
    assert_finite(drawn, name=name)
    (plain,) = unpack_tensors((drawn,), name)
    if plain.dim() == 0:
        return float(plain)
    assert_shape(plain, (len(plain), n_classes), name=name)
    logits = plain.double()
    if (logits >= 0).all() and ((logits.sum(-1) - 1).abs() <= 1e-4).all():
        raise CheckFailure(f"{name} sum to 1", f"{name} must not be probabilities: the loss takes the softmax itself.")
    return (logits.logsumexp(-1) - logits.mean(-1)).mean().item()


def _numbers(losses: object, name: str) -> list[float]:
    if issubclass(type(losses), Tensor):
        (plain,) = unpack_tensors((losses,), name)
        losses = plain.tolist() if plain.dim() == 1 else None
    items = list(losses) if type(losses) in (list, tuple) else []  # type: ignore[call-overload]
    values = [item.item() if type(item) is Tensor and item.numel() == 1 else item for item in items]
    if len(values) < 2 or not all(type(value) in (int, float) and abs(value) < 1e300 for value in values):
        text = f"{name} must be a list of two or more finite numbers, one for each step"
        hint = f"{text}. Is it NaN or infinite at some step? Then the learning rate may be too large."
        raise CheckFailure(f"{text}; got {len(values)} items of a {type(losses).__name__}", hint)
    return [float(value) for value in values]


def _loss_and_gradient(output: object, targets: Tensor, loss: Loss) -> tuple[float, Tensor]:
    """The loss of an output, and its gradient with respect to it, of the output's shape."""
    name = "the output"
    assert_finite(output, name=name)
    (plain,) = unpack_tensors((output,), name)
    leaf = plain.clone().requires_grad_() if plain.is_floating_point() else plain
    try:
        value = loss(leaf, targets)
        (gradient,) = torch.autograd.grad(value, leaf)
    except Exception as error:  # an output of another shape or dtype makes any loss raise
        hint = "The loss cannot be computed from the output. Compare its shape and dtype with the task's text."
        raise CheckFailure(f"output {tuple(plain.shape)}, {plain.dtype}: {error}", hint) from error
    return value.item(), gradient


def _set_gradients(weights: dict[str, Tensor], found: Any) -> None:
    for name, weight in weights.items():
        gradient = found.get(name)
        if gradient is not None:
            assert_shape(gradient, weight.shape, name="the gradient of a parameter")
            assert_finite(gradient, name="the gradient of a parameter")
            (plain,) = unpack_tensors((gradient,), "the gradient of a parameter")
            gradient = plain.to(weight.dtype)
        weight.grad = gradient
