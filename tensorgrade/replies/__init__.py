"""Answers what a check asks of a student's objects: the same code in the worker and in the notebook.

===========================================  ======================================================
request                                      value
===========================================  ======================================================
``("seed", number)``                         None
``("get", name)``                            the value of a name
``("attribute", object, name)``              the value of an attribute
``("call", function, args, kwargs)``         what it returns
``("load", name, source)``                   the instructor's module, made of that source
``("gradients", function, inputs, along)``   the gradient of each input, or None
``("parameter_gradients", module)``          by name, the gradient of each parameter, or None
``("copy_weights", module, weights)``        what does not fit: missing, unknown and differing names
``("arguments_after", function, args)``      the arguments, after a call with them
``("torch_calls", function, args)``          the names of torch's functions that a call runs
``("random_state",)``                        by library, a hash of its global generator's state
``("cpu_seconds",)``                         the CPU time of the process, in seconds
``("outline", cells)``                       what `outline.read_outline` finds in those sources
===========================================  ======================================================
"""

from __future__ import annotations

import random
import time
import types
from typing import Any

import numpy as np
import torch

from tensorgrade.replies import operations
from tensorgrade.replies.objects import CallBack, Objects
from tensorgrade.replies.outline import read_outline

__all__ = ["CallBack", "Responder"]


class Responder:
    """Answers requests from one namespace.

    Args:
        namespace: the notebook's names.
        call_back: calls a function of the grader's.
    """

    def __init__(self, namespace: dict[str, Any], call_back: CallBack) -> None:
        self._namespace = namespace
        self._objects = Objects(call_back)

    def answer(self, request: Any) -> Any:
        """The value asked for, made of what may cross the wall.

        Raises:
            BaseException: whatever the student's code raises.
        """
        match self._objects.resolve(request):
            case ("seed", int(number)):
                value: Any = None
                seed(number)
            case ("get", str(name)):
                value = self._get(name)
            case ("attribute", target, str(name)):
                value = getattr(target, name)
            case ("call", function, tuple(args), dict(kwargs)):
                value = function(*args, **kwargs)
            case ("load", str(name), str(source)):
                value = _load(name, source)
            case ("outline", list(cells)):
                value = read_outline(cells)
            case other:
                value = _operate(other)
        return self._objects.sendable(value)

    def _get(self, name: str) -> Any:
        if name not in self._namespace:
            raise NameError(f"name {name!r} is not defined")
        return self._namespace[name]


def _operate(request: Any) -> Any:
    """The answer to what is asked beside calling an object."""
    match request:
        case ("gradients", function, tuple(inputs), along):
            return operations.gradients(function, inputs, along)
        case ("parameter_gradients", module):
            return operations.parameter_gradients(module)
        case ("copy_weights", module, dict(weights)):
            return operations.copy_weights(module, weights)
        case ("arguments_after", function, tuple(args)):
            return operations.arguments_after(function, args)
        case ("torch_calls", function, tuple(args)):
            return operations.torch_calls(function, args)
        case ("random_state",):
            return operations.random_state()
        case ("cpu_seconds",):
            return time.process_time()
    raise ValueError("unknown request")


def seed(number: int) -> None:
    """Seed Python, NumPy and torch, so that a check meets the same randomness on every run."""
    random.seed(number)
    np.random.seed(number % 2**32)
    torch.manual_seed(number % 2**63)


def _load(name: str, source: str) -> types.ModuleType:
    """The instructor's module; a fresh one each time, so that no earlier check has changed it."""
    module = types.ModuleType(name)
    exec(compile(source, f"<{name}.py>", "exec"), module.__dict__)  # noqa: S102 - the instructor's own code
    return module
