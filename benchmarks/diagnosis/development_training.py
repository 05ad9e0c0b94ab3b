"""Wrong training: gradients by hand and by autograd, optimiser steps, schedules."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from benchmarks.diagnosis.cases import Pair, draw_normal, pair, wrong


def gradient_of_mean_square(x: Tensor, weight: Tensor, y: Tensor) -> Tensor:
    """The right code: the gradient of mean((x @ weight - y) ** 2) with respect to weight."""
    return 2 * x.T @ (x @ weight - y) / y.numel()


def draw_regression(rng: Generator) -> dict[str, Tensor]:
    """Inputs x (7, 4), weight (4, 3) and y (7, 3)."""
    return {"x": draw_normal(rng, 7, 4), "weight": draw_normal(rng, 4, 3), "y": draw_normal(rng, 7, 3)}


def step_sgd(weight: Tensor, gradient: Tensor, lr: float = 0.1, weight_decay: float = 0.0) -> Tensor:
    """The right code of a step of gradient descent with weight decay."""
    return weight - lr * (gradient + weight_decay * weight)


def step_momentum(weight: Tensor, gradient: Tensor, velocity: Tensor, lr: float = 0.1) -> Tensor:
    """The right code of a step with momentum 0.9."""
    return weight - lr * (0.9 * velocity + gradient)


def run_adam(gradients: Tensor, lr: float = 0.01, eps: float = 1e-8) -> Tensor:
    """The right code: where weights that start at 0 are after the steps of the gradients (steps, D)."""
    weight = first = second = torch.zeros(gradients.shape[1])
    for t, gradient in enumerate(gradients, start=1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        weight = weight - lr * (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)).sqrt() + eps)
    return weight


def schedule(step: Tensor, warmup: int = 4) -> Tensor:
    """The right code: rises linearly for the warm-up, then falls with the inverse root."""
    return torch.minimum((step + 1) / warmup, ((step + 1) / warmup) ** -0.5)


def mlp_gradient(x: Tensor, inner: Tensor, outer: Tensor) -> Tensor:
    """The right code by hand: the gradient of sum(tanh(x @ inner) @ outer) with respect to inner."""
    hidden = torch.tanh(x @ inner)
    return x.T @ ((1 - hidden**2) * outer.sum(1))


@wrong("reduction", "factor")
def gradient_of_the_summed_loss(rng: Generator) -> Pair:
    """The gradient is not divided by the number of values of the mean."""
    inputs = draw_regression(rng)
    x, weight, y = inputs.values()
    sizes = {"N": 7, "out": 3}
    return pair(2 * x.T @ (x @ weight - y), gradient_of_mean_square(x, weight, y), sizes=sizes)


@wrong("factor")
def gradient_without_the_two(rng: Generator) -> Pair:
    """The 2 of the square is missing."""
    inputs = draw_regression(rng)
    x, weight, y = inputs.values()
    return pair(x.T @ (x @ weight - y) / y.numel(), gradient_of_mean_square(x, weight, y))


@wrong("sign")
def gradient_of_the_negative(rng: Generator) -> Pair:
    """Target minus prediction: the gradient has the wrong sign; summed row by row."""
    inputs = draw_regression(rng)
    x, weight, y = inputs.values()
    actual = sum((2 * torch.outer(x[i], y[i] - x[i] @ weight) / y.numel() for i in range(7)), torch.zeros(4, 3))
    expected = gradient_of_mean_square(x, weight, y)
    return pair(actual, expected, inputs=inputs, reference=gradient_of_mean_square)


@wrong("shape", "transposed")
def gradient_transposed(rng: Generator) -> Pair:
    """The factors of the product stand in the other order."""
    inputs = draw_regression(rng)
    x, weight, y = inputs.values()
    return pair(2 * (x @ weight - y).T @ x / y.numel(), gradient_of_mean_square(x, weight, y))


@wrong("shape")
def gradient_of_bias_keeps_the_batch(rng: Generator) -> Pair:
    """The gradient of the bias is not summed over the batch."""
    upstream = draw_normal(rng, 6, 4)
    return pair(upstream, upstream.sum(0), sizes={"N": 6, "out": 4}, dim=0)


@wrong("shape")
def gradient_of_bias_with_kept_axis(rng: Generator) -> Pair:
    """The sum over the batch keeps its axis."""
    upstream = draw_normal(rng, 6, 4)
    return pair(upstream.sum(0, keepdim=True), upstream.sum(0))


@wrong("input_axis")
def gradient_of_bias_over_the_features(rng: Generator) -> Pair:
    """The sum runs over the features; there are as many as examples."""
    upstream = draw_normal(rng, 5, 5)

    def sum_over_batch(upstream: Tensor) -> Tensor:
        return upstream.sum(0)

    return pair(upstream.sum(1), upstream.sum(0), inputs={"upstream": upstream}, reference=sum_over_batch, dim=0)


@wrong("none")
def gradient_without_the_tanh(rng: Generator) -> Pair:
    """The derivative of the tanh is left out."""
    inputs = {"x": draw_normal(rng, 7, 4), "inner": draw_normal(rng, 4, 5), "outer": draw_normal(rng, 5, 3)}
    actual = inputs["x"].T @ inputs["outer"].sum(1).expand(7, 5)
    return pair(actual, mlp_gradient(**inputs), inputs=inputs, reference=mlp_gradient)


@wrong("known_mistake")
def gradient_with_the_tanh_of_the_derivative(rng: Generator) -> Pair:
    """The derivative is 1 - h instead of 1 - h ** 2."""
    x, inner, outer = draw_normal(rng, 7, 4), draw_normal(rng, 4, 5), draw_normal(rng, 5, 3)
    hidden = torch.tanh(x @ inner)
    actual = x.T @ ((1 - hidden) * outer.sum(1))
    mistakes = {
        "Is the derivative of tanh 1 - h, or is there a square?": actual,
        "The chain rule has one more factor: the derivative of tanh.": x.T @ outer.sum(1).expand(7, 5),
    }
    return pair(actual, mlp_gradient(x, inner, outer), mistakes=mistakes)


@wrong("accumulates")
def gradient_not_zeroed(rng: Generator) -> Pair:
    """The gradient of the second step has that of the first in it."""
    weight = draw_normal(rng, 4, 3).requires_grad_()
    x, y = draw_normal(rng, 2, 7, 4), draw_normal(rng, 2, 7, 3)
    gradients = [gradient_of_mean_square(x[i], weight, y[i]).detach() for i in range(2)]
    kept = torch.zeros(4, 3)
    for i in range(2):
        kept += torch.autograd.grad((x[i] @ weight - y[i]).square().mean(), weight)[0]
    return pair(kept, gradients[1], earlier=gradients[0])


@wrong("accumulates", "factor")
def gradient_of_the_same_batch_doubled(rng: Generator) -> Pair:
    """The backward pass runs twice on one batch without zero_grad between."""
    inputs = draw_regression(rng)
    right = gradient_of_mean_square(**inputs)
    return pair(right + right, right, earlier=right, inputs=inputs, reference=gradient_of_mean_square)


@wrong("accumulates", "offset")
def loss_of_all_epochs(rng: Generator) -> Pair:
    """The running total of the losses is not put back to 0 at the start of an epoch."""
    first, second = torch.rand(5, generator=rng), torch.rand(5, generator=rng)
    return pair(first.sum() + second.cumsum(0), second.cumsum(0), earlier=first.sum())


@wrong("detached", "constant")
def gradient_lost_by_item(rng: Generator) -> Pair:
    """The hidden layer is rebuilt from plain numbers: nothing reaches the first weight."""
    x, inner, outer = draw_normal(rng, 7, 4), draw_normal(rng, 4, 5), draw_normal(rng, 5, 3)
    inner.requires_grad_()
    hidden = torch.tensor(torch.tanh(x @ inner).tolist())
    (actual,) = torch.autograd.grad((hidden @ outer).sum() + 0 * inner.sum(), inner)
    inputs = {"x": x, "inner": inner.detach(), "outer": outer}
    return pair(actual, mlp_gradient(**inputs), inputs=inputs, reference=mlp_gradient)


@wrong("detached")
def gradient_cut_between_time_steps(rng: Generator) -> Pair:
    """The state is detached at every step: only the last token's path has a gradient."""
    x, across = draw_normal(rng, 5, 4), (0.5 * draw_normal(rng, 4, 4)).requires_grad_()

    def run(cut: bool) -> Tensor:
        state = torch.zeros(4)
        for token in x:
            state = torch.tanh(token + across @ (state.detach() if cut else state))
        return torch.autograd.grad(state.sum(), across)[0]

    return pair(run(True), run(False), rtol=1e-4, atol=1e-6, sizes={"L": 5, "H": 4})


@wrong("not_finite", "some_rows")
def gradient_of_the_norm_at_zero(rng: Generator) -> Pair:
    """The square root has no derivative at 0: the gradient of a row of zeros is NaN."""
    x = draw_normal(rng, 6, 4)
    x[2] = 0
    x.requires_grad_()
    (actual,) = torch.autograd.grad(x.square().sum(-1).sqrt().sum(), x)
    (expected,) = torch.autograd.grad(torch.linalg.vector_norm(x, dim=-1).sum(), x)
    return pair(actual, expected)


@wrong("sign")
def step_uphill(rng: Generator) -> Pair:
    """The gradient is added instead of subtracted, to weights that start at 0."""
    gradient = draw_normal(rng, 5, 3)
    weight = torch.zeros(5, 3)
    return pair(weight + 0.1 * gradient, step_sgd(weight, gradient))


@wrong("argument_ignored")
def step_without_decay(rng: Generator) -> Pair:
    """The weight decay has no effect."""
    inputs = {"weight": draw_normal(rng, 5, 3), "gradient": draw_normal(rng, 5, 3), "weight_decay": 0.3}
    actual = step_sgd(inputs["weight"], inputs["gradient"])
    return pair(actual, step_sgd(**inputs), inputs=inputs, reference=step_sgd)


@wrong("argument_ignored")
def step_without_velocity(rng: Generator) -> Pair:
    """The velocity of the steps before is forgotten: plain gradient descent."""
    names = ("weight", "gradient", "velocity")
    inputs = {name: draw_normal(rng, 6, 4) for name in names}
    actual = step_sgd(inputs["weight"], inputs["gradient"])
    return pair(actual, step_momentum(**inputs), inputs=inputs, reference=step_momentum)


@wrong("arguments_swapped")
def step_with_swapped_velocity(rng: Generator) -> Pair:
    """Gradient and velocity are exchanged."""
    inputs = {name: draw_normal(rng, 6, 4) for name in ("weight", "gradient", "velocity")}
    actual = step_momentum(inputs["weight"], inputs["velocity"], inputs["gradient"])
    return pair(actual, step_momentum(**inputs), inputs=inputs, reference=step_momentum)


@wrong("none")
def adam_without_correction(rng: Generator) -> Pair:
    """The averages are not corrected for their start at 0."""
    gradients = draw_normal(rng, 5, 6)
    weight = first = second = torch.zeros(6)
    for gradient in gradients:
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        weight = weight - 0.01 * first / (second.sqrt() + 1e-8)
    return pair(weight, run_adam(gradients), inputs={"gradients": gradients}, reference=run_adam)


@wrong("epsilon")
def adam_epsilon_inside_root(rng: Generator) -> Pair:
    """The small constant is added under the root; gradients of its size show it."""
    gradients = 0.001 * draw_normal(rng, 5, 6)
    inputs = {"gradients": gradients, "lr": 0.01, "eps": 1e-4}
    weight = first = second = torch.zeros(6)
    for t, gradient in enumerate(gradients, start=1):
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        weight = weight - 0.01 * (first / (1 - 0.9**t)) / (second / (1 - 0.999**t) + 1e-4).sqrt()
    return pair(weight, run_adam(**inputs), inputs=inputs, reference=run_adam)


@wrong("rolled")
def schedule_counted_from_zero(rng: Generator) -> Pair:
    """The first step has the learning rate 0: every value comes one step late."""
    step = torch.arange(12)
    late = torch.cat([torch.zeros(1), schedule(step)[:-1]])
    return pair(late, schedule(step), sizes={"steps": 12, "warmup": 4})


@wrong("reversed")
def schedule_runs_backwards(rng: Generator) -> Pair:
    """The linear schedule rises from 0 where it must fall to 0."""
    return pair(0.3 * torch.linspace(0, 1, 9), 0.3 * torch.linspace(1, 0, 9))


@wrong("none")
def schedule_without_warmup(rng: Generator) -> Pair:
    """The learning rate falls from the first step on."""
    step = torch.arange(12)
    return pair((step + 1) ** -0.5, schedule(step))


@wrong("factor")
def initialised_with_the_variance(rng: Generator) -> Pair:
    """Noise is multiplied by the variance 2 / n in place of its root."""
    noise = draw_normal(rng, 6, 7)
    return pair(noise * (2 / 7), noise * math.sqrt(2 / 7), sizes={"fan_in": 7, "fan_out": 6})


@wrong("stateful")
def weights_initialised_from_the_global_seed(rng: Generator) -> Pair:
    """Noise comes from a generator that runs on: the second call gives other weights."""
    first, second = draw_normal(rng, 5, 4), draw_normal(rng, 5, 4)
    return pair(first, first, again=second)
