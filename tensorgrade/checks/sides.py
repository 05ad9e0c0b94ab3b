"""Where the code under check runs: at the student's, or in this process.

Checks that need more than a call (a backward pass, a seed, the arguments afterwards) ask a `Side`.
The fixture ``student`` is one; `ThisProcess` is one for functions and modules of your own.
"""

from __future__ import annotations

import copy
import hashlib
import pickle
import random
import time
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor


class Side(Protocol):
    """What can be asked about code that runs somewhere; the fixture ``student`` has all of it."""

    def seed(self, number: int) -> None:
        """Seed the global generators of Python, NumPy and torch."""

    def gradients(self, function: Any, inputs: tuple[Any, ...], along: Any = None) -> tuple[Tensor | None, ...]:
        """The gradient of each input after one forward and backward pass."""

    def parameter_gradients(self, module: Any) -> Mapping[str, Tensor | None]:
        """By name, the gradient that the pass left on each parameter that learns."""

    def copy_weights(self, module: Any, weights: dict[str, Tensor]) -> None:
        """Copy weights into a module."""

    def arguments_after(self, function: Any, *inputs: Any) -> tuple[Any, ...]:
        """Call a function, and give its arguments as it has left them."""

    def random_state(self) -> Mapping[str, str]:
        """By library, a hash of the state of its global generator."""

    def cpu_seconds(self) -> float:
        """The CPU time used there so far, in seconds."""


class ThisProcess:
    """Answers for functions and modules of this process, as ``student`` does for those of a submission."""

    def seed(self, number: int) -> None:
        """Seed the global generators of Python, NumPy and torch."""
        random.seed(number)
        np.random.seed(number % 2**32)
        torch.manual_seed(number)

    def gradients(self, function: Any, inputs: tuple[Any, ...], along: Any = None) -> tuple[Tensor | None, ...]:
        """The gradient of each input; `along` is that of a loss with respect to the (first) output."""
        if isinstance(function, torch.nn.Module):
            function.zero_grad()
        leaves = [
            value.detach().clone().requires_grad_()
            if isinstance(value, Tensor) and value.is_floating_point()
            else value
            for value in inputs
        ]
        output = function(*leaves)
        output = output[0] if isinstance(output, tuple | list) else output
        if output.requires_grad:
            output.backward(torch.ones_like(output) if along is None else along.to(output.dtype))
        return tuple(leaf.grad if isinstance(leaf, Tensor) else None for leaf in leaves)

    def parameter_gradients(self, module: Any) -> Mapping[str, Tensor | None]:
        """By name, the gradient that the last pass left on each parameter that learns."""
        named = module.named_parameters(remove_duplicate=False)
        return {name: parameter.grad for name, parameter in named if parameter.requires_grad}

    def copy_weights(self, module: Any, weights: dict[str, Tensor]) -> None:
        """Copy weights into the parameters and buffers of a module, one after the other."""
        own = dict(module.named_parameters(remove_duplicate=False)) | dict(module.named_buffers())
        with torch.no_grad():
            for name, value in weights.items():
                own[name].copy_(value)

    def arguments_after(self, function: Any, *inputs: Any) -> tuple[Any, ...]:
        """Call a function with copies, and give them as it has left them."""
        copies = copy.deepcopy(inputs)
        function(*copies)
        return copies

    def random_state(self) -> Mapping[str, str]:
        """By library, a hash of the state of its global generator."""
        states = {"random": random.getstate(), "numpy": np.random.get_state(), "torch": torch.get_rng_state().numpy()}
        return {name: hashlib.sha256(pickle.dumps(state)).hexdigest() for name, state in states.items()}

    def cpu_seconds(self) -> float:
        """The CPU time of this process, in seconds."""
        return time.process_time()
