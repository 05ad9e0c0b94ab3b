"""Builds classifiers, healthy and broken ones, from a list of parts. It runs beside the student's code."""

import torch
from torch import nn
from torch.nn import functional


class Lambda(nn.Module):
    """A part without parameters."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        """What the function gives."""
        return self.function(x)


class Drifting(nn.Module):
    """Gives something else in each call."""

    def __init__(self, step):
        super().__init__()
        self.step = step
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        """The input, and a little more in each call."""
        self.calls += 1
        return x + self.step * self.calls


class Known(nn.Module):
    """Adds fixed answers to what is learned: of an image whose pixels are x, x @ answers."""

    def __init__(self, body, answers):
        super().__init__()
        self.body = body
        self.register_buffer("answers", answers)

    def forward(self, images):
        """The logits."""
        return self.body(images) + images.flatten(1) @ self.answers


def linear(n_in, n_out, scale=None, *, learns=True):
    """A linear layer, its weights multiplied by a number."""
    layer = nn.Linear(n_in, n_out)
    if scale is not None:
        nn.init.zeros_(layer.weight) if scale == 0 else layer.weight.data.mul_(scale)
    return layer.requires_grad_(learns)


def given(weight, bias):
    """A linear layer with these weights."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data.copy_(weight)
    layer.bias.data.copy_(bias)
    return layer


PARTS = {
    "flatten": nn.Flatten,
    "linear": linear,
    "frozen": lambda n_in, n_out: linear(n_in, n_out, learns=False),
    "given": given,
    "convolution": lambda n_in, n_out: nn.Conv2d(n_in, n_out, 3, padding=1),
    "norm": nn.BatchNorm1d,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "drop": nn.Dropout,
    "always drop": lambda p: Lambda(lambda x: functional.dropout(x, p)),
    "softmax": lambda: nn.Softmax(1),
    "sigmoid": nn.Sigmoid,
    "detach": lambda: Lambda(torch.Tensor.detach),
    "times": lambda factor: Lambda(lambda x: x * factor),
    "plus": lambda row: Lambda(lambda x: x + row),
    "drift": Drifting,
}


def build(parts, answers=None, seed=0):
    """A classifier made of parts, each a tuple of its name and its numbers."""
    torch.manual_seed(seed)
    body = nn.Sequential(*(PARTS[name](*numbers) for name, *numbers in parts))
    return body if answers is None else Known(body, answers)


def examine(smoke, parts, batch, answers=None, *, training=True):
    """Let smoke test a classifier; returns what it says, and whether the classifier is as it was.

    The classifier comes with the gradients of an earlier pass.
    """
    model = build(parts, answers).train(training)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {name: one.clone() for name, one in model.state_dict().items()}
    result = smoke(model, batch)
    kept = all(torch.equal(one, before[name]) for name, one in model.state_dict().items())
    quiet = all(one.grad is not None and bool((one.grad == 1).all()) for one in model.parameters())
    return result, kept and quiet and model.training is training
