"""Runs the passes of Part A. It runs beside the student's code and holds nothing secret."""

from contextlib import contextmanager

import torch


@contextmanager
def by_hand():
    """Inside, torch records no history, and what differentiates for you raises."""
    places = ((torch.Tensor, "backward"), (torch.autograd, "backward"), (torch.autograd, "grad"))
    kept = [getattr(place, name) for place, name in places]

    def refuse(*args, **kwargs):
        raise RuntimeError("in Part A the derivatives are yours")

    try:
        for place, name in places:
            setattr(place, name, refuse)
        with torch.no_grad():
            yield
    finally:
        for (place, name), function in zip(places, kept, strict=True):
            setattr(place, name, function)


def watched(run_forward, run_backward, params, acts, x, along):
    """The gradients, with nothing switched off: to be watched."""
    return run_backward(params, acts, run_forward(params, acts, x)[1], along)


def gradients(run_forward, run_backward, params, acts, x, along):
    """The gradients of one pass back, as a list of pairs."""
    with by_hand():
        return watched(run_forward, run_backward, params, acts, x, along)


def gradients_twice(run_forward, run_backward, params, acts, x, along):
    """The gradients of the first and of a second pass back through one cache, and the arguments afterwards."""
    with by_hand():
        cache = run_forward(params, acts, x)[1]
        first = [tuple(part.clone() for part in pair) for pair in run_backward(params, acts, cache, along)]
        return first, run_backward(params, acts, cache, along), params, list(acts), x, along


def gradients_of_the_first(run_forward, run_backward, params, acts, first, second, along):
    """The gradients for the first of two batches, after both went forward."""
    with by_hand():
        cache = run_forward(params, acts, first)[1]
        run_forward(params, acts, second)
        return run_backward(params, acts, cache, along)


def gradients_of_loss(run_forward, criterion, run_backward, params, acts, x, kind, target):
    """The gradients of a loss, all by the student's own parts."""
    with by_hand():
        out, cache = run_forward(params, acts, x)
        return run_backward(params, acts, cache, criterion(kind, out, target)[1])


def loss(criterion, kind, out, target):
    """What the criterion returns, by hand."""
    with by_hand():
        return criterion(kind, out, target)
