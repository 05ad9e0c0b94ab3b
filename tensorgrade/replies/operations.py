"""What a check asks of a module or a differentiable function beside calling it."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import numpy as np
import torch
from torch import Tensor


def gradients(function: Any, inputs: tuple[Any, ...], along: Any) -> tuple[Tensor | None, ...] | list[list[int]]:
    """Run a function forward and backward, as one training step would.

    Args:
        function: a function or a module; a module's own gradients are cleared first, and kept afterwards.
        inputs: its arguments; those that are floating point tensors are differentiated.
        along: the gradient of a loss with respect to the output, of the output's shape: a tensor, or
            one for each output with None for those that do not count. None: the loss is the sum of
            the (first) output.

    Returns:
        For each input the gradient of the loss; None if it has none, or nothing of it reaches the loss.
        Where an output has another shape than its `along`, there is no gradient: a list of the two shapes.
    """
    if isinstance(function, torch.nn.Module):
        function.zero_grad()
    leaves = tuple(_as_leaf(value) for value in inputs)
    outputs = function(*leaves)
    outputs = tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)
    cotangents = tuple(along) if isinstance(along, tuple | list) else (along,)
    if along is None:
        cotangents = (torch.ones_like(outputs[0]),)
    pairs = [
        (output, cotangent)
        for output, cotangent in zip(outputs, cotangents, strict=False)
        if cotangent is not None and output.requires_grad
    ]
    for output, cotangent in pairs:
        if output.shape != cotangent.shape:
            return [list(output.shape), list(cotangent.shape)]
    if pairs:
        torch.autograd.backward([output for output, _ in pairs], [_like(cotangent, out) for out, cotangent in pairs])
    return tuple(leaf.grad if isinstance(leaf, Tensor) else None for leaf in leaves)


def _as_leaf(value: Any) -> Any:
    if isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex()):
        return value.detach().clone().requires_grad_(True)
    return value


def _like(cotangent: Tensor, output: Tensor) -> Tensor:
    """The cotangent in the output's dtype and on its device, so that float64 inside costs nobody points."""
    return cotangent.to(dtype=output.dtype, device=output.device)


def parameter_gradients(module: Any) -> dict[str, Tensor | None]:
    """By name, the gradient that the last backward pass left on each parameter that learns; None where it left none."""
    named = module.named_parameters(remove_duplicate=False)
    return {name: parameter.grad for name, parameter in named if parameter.requires_grad}


def copy_weights(module: Any, weights: dict[str, Any]) -> dict[str, Any]:
    """Copy weights into the parameters and buffers of a module, if all of them fit.

    Returns:
        ``missing``: names that the module lacks; ``unknown``: parameters that learn and that `weights`
        lacks under all their names; ``differing``: by name, the shape that the module has where it is
        another one. The weights were copied if all three are empty.
    """
    # A layer may be known under a second name, in an nn.Sequential say.
    parameters = dict(module.named_parameters(remove_duplicate=False))
    own = parameters | dict(module.named_buffers(remove_duplicate=False))
    given = {id(own[name]) for name in weights if name in own}
    found = {
        "missing": [name for name in weights if name not in own],
        "unknown": [name for name, one in parameters.items() if one.requires_grad and id(one) not in given],
        "differing": {
            name: tuple(own[name].shape)
            for name, value in weights.items()
            if name in own and own[name].shape != value.shape
        },
    }
    if not any(found.values()):
        with torch.no_grad():
            for name, value in weights.items():
                own[name].copy_(value)
    return found


def arguments_after(function: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Call a function, and give its arguments as it has left them."""
    function(*args)
    return args


class _Watch(torch.overrides.TorchFunctionMode):
    """Notes the names of torch's functions while they run. Source: torch.overrides."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(torch.overrides.resolve_name(func) or getattr(func, "__name__", "")))
        return func(*args, **(kwargs or {}))


def torch_calls(function: Any, inputs: tuple[Any, ...]) -> list[str]:
    """The dotted names of the functions of torch that a call runs; what one of them runs itself is not among them."""
    with _Watch() as watch:
        function(*inputs)
    return sorted(watch.names)


def random_state() -> dict[str, str]:
    """By library, a hash of the state of its global generator."""
    states = {
        "random": repr(random.getstate()).encode(),
        "numpy": repr(
            [part.tolist() if isinstance(part, np.ndarray) else part for part in np.random.get_state()]
        ).encode(),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }
    return {name: hashlib.sha256(state).hexdigest() for name, state in states.items()}
