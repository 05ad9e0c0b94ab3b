"""Steps of a training, as the grader wants them. It runs beside the student's code and holds nothing secret."""

import torch


def train(layer, x, target, learning_rate, steps):
    """Train a layer in place by gradient descent on the mean squared error; returns its parameters by name."""
    for _ in range(steps):
        layer.zero_grad()
        (layer(x) - target).square().mean().backward()
        with torch.no_grad():
            for parameter in layer.parameters():
                if parameter.grad is not None:
                    parameter -= learning_rate * parameter.grad
    return {name: parameter.detach() for name, parameter in layer.named_parameters()}
