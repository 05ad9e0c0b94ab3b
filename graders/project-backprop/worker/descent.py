"""Makes steps with an optimiser, for the checks. It runs beside the student's code and holds nothing secret."""

import itertools
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def without_the_library():
    """Inside, no optimiser of the library's can be made."""
    kept = torch.optim.Optimizer.__init__

    def refuse(*args, **kwargs):
        raise RuntimeError("in Part B the optimiser is yours")

    torch.optim.Optimizer.__init__ = refuse
    try:
        yield
    finally:
        torch.optim.Optimizer.__init__ = kept


def steps(make, start, gradients, lr, options, keeps_tensors):
    """The parameters after each step, the gradients as they are then, and whether the parameters are still leaves.

    Args:
        make: the optimiser's class.
        start: a value for each parameter.
        gradients: for each step, a gradient for each parameter; None for none.
        lr: the learning rate.
        options: momentum and decay, by name.
        keeps_tensors: whether the loop writes each gradient into the same tensor again.
    """
    params = [nn.Parameter(value.clone()) for value in start]
    optimiser = make((p for p in params), lr, **options)
    values, left = [], []
    for row in gradients:
        for p, gradient in zip(params, row, strict=True):
            if keeps_tensors and p.grad is not None and gradient is not None:
                p.grad.copy_(gradient)
            else:
                p.grad = None if gradient is None else gradient.clone()
        optimiser.step()
        values.append([p.detach().clone() for p in params])
        left.append([None if p.grad is None else p.grad.clone() for p in params])
    return values, left, [p.is_leaf and p.requires_grad for p in params]


def walk(*arguments):
    """The same, where no optimiser of the library's can be made."""
    with without_the_library():
        return steps(*arguments)


def walk_by_schedule(make, start, gradients, rates, options):
    """The parameters after steps of which each has a learning rate of its own."""
    params = [nn.Parameter(value.clone()) for value in start]
    with without_the_library():
        optimiser = make(params, rates[0], **options)
        for rate, row in zip(rates, gradients, strict=True):
            optimiser.lr = rate
            for p, gradient in zip(params, row, strict=True):
                p.grad = gradient.clone()
            optimiser.step()
    return [p.detach() for p in params]


def cleared(make, start, gradients):
    """The gradients after `clear`; None for none."""
    params = [nn.Parameter(value.clone()) for value in start]
    with without_the_library():
        optimiser = make(params, 0.1)
        for p, gradient in zip(params, gradients, strict=True):
            p.grad = None if gradient is None else gradient.clone()
        optimiser.clear()
    return [p.grad for p in params]


def alternating(make, starts, gradients, lr, options):
    """The parameters of two optimisers that make their steps in turn."""
    params = [nn.Parameter(value.clone()) for value in starts]
    with without_the_library():
        optimisers = [make([p], lr, **options) for p in params]
        for row in gradients:
            for p, gradient, optimiser in zip(params, row, optimisers, strict=True):
                p.grad = gradient.clone()
                optimiser.step()
    return [p.detach() for p in params]


def fit(make, start, x, target, steps, lr, options):
    """Weights and bias of a linear layer after a training with autograd and `clear`."""
    weight, bias = (nn.Parameter(value.clone()) for value in start)
    with without_the_library():
        optimiser = make([weight, bias], lr, **options)
        for _ in range(steps):
            optimiser.clear()
            ((x @ weight.T + bias - target) ** 2).mean().backward()
            optimiser.step()
    return weight.detach(), bias.detach()


def make_builder(widths):
    """A function that makes a network of linear layers with tanh between them."""

    def build():
        layers = [nn.Linear(i, o, dtype=torch.float64) for i, o in itertools.pairwise(widths)]
        return nn.Sequential(*(part for layer in layers for part in (layer, nn.Tanh())))[:-1]

    return build


def duel(function, widths, batches, hp, epochs, seed):
    """The student's duel of such networks, and the batches as they are afterwards."""
    return function(make_builder(widths), batches, hp, epochs, seed), batches


def duel_without(disabled, function, own, arguments):
    """The duel while steps of one side, "own" or "lib", do nothing."""
    optimiser = own if disabled == "own" else torch.optim.SGD
    kept = optimiser.step

    def stay(self, *args, **kwargs):
        """Keep the hooks of the library's class content."""

    stay.hooked = True
    optimiser.step = stay
    try:
        widths, *rest = arguments
        return function(make_builder(widths), *rest)
    finally:
        optimiser.step = kept
