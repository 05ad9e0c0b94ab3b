"""Compares gradients with a reference and with finite differences, and says where none arrives."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Unpack

import torch
from torch import Tensor

from tensorgrade.checks.closeness import assert_close, assert_finite, assert_shape, unpack_tensors
from tensorgrade.checks.results import Closeness, Function, Inputs, as_tuple
from tensorgrade.checks.sides import Side
from tensorgrade.errors import CheckFailure

ELEMENTWISE = 32  # elements up to which each one is differentiated on its own
DIRECTIONS = 12  # random directions for a larger input
# Tried in this order, in units of the input's mean size; the gradient has to fit one. In float64 the first is
# exact to 1e-9 and small enough to miss almost every kink of a ReLU. The others are for functions that compute
# in float32 or add noise of 1e-6, and are exact to the square of the step.
STEPS = (1e-6, 1e-3, 1e-2)
NONE_HINT = "Is something detached, turned into a number or a NumPy array, or computed under no_grad?"


def assert_same_gradient(actual: object, expected: Tensor, *, rtol: float = 1e-4, atol: float | None = None) -> None:
    """Check that a returned gradient equals the reference gradient.

    Args:
        actual: from the submission, shape of `expected`; None, as for an input that no gradient reaches, fails.
        expected: from the reference, any shape.
        rtol: allowed relative difference (no unit). 1e-4: float32 over about 1e3 additions.
        atol: allowed absolute difference, in units of loss per unit of input. None: 1e-5 times the largest value of
            `expected` (1e-8 if all are 0), because a mean over a large batch makes gradients small.

    Raises:
        CheckFailure: no gradient, shape or kind of dtype differs, a value is not finite, or a value is out of
            tolerance. Names the worst index.
    """
    name = "the gradient"
    _require_gradient(actual, name)
    largest = expected.abs().max().item() if expected.numel() else 0.0
    assert_finite(actual, name=name)
    allowed = max(1e-5 * largest, 1e-8) if atol is None else atol
    assert_close(actual, expected, rtol=rtol, atol=allowed, name=name)


def assert_gradient(
    actual: object,
    f: Function,
    x: Tensor,
    *,
    rng: torch.Generator,
    along: Tensor | None = None,
    **closeness: Unpack[Closeness],
) -> None:
    """Check that a gradient, however it was computed, is the derivative of a function, by central differences.

    The gradient may come from `student.gradients` or from a backward function that students write. The function is
    evaluated in float64: of each element up to 32 elements, along 12 random directions beyond that.

    Args:
        actual: from the submission, shape of `x`: the gradient at `x` of the sum of `along` times `f(x)`.
        f: the function that should have this gradient, a submission's or a reference; takes a float64 tensor of the
            shape of `x` and returns one tensor. Other arguments belong into a lambda. It must not draw at random.
        x: floating point, any shape, away from kinks such as the 0 of a ReLU.
        rng: draws the directions.
        along: the gradient of the loss with respect to `f(x)`, of its shape; None: ones.
        closeness: `rtol` (1e-3 if not given), `atol` (1e-3 times the largest derivative), `name` of the gradient.
            A float32 gradient is exact to 1e-5, differences of a float32 function to some 1e-4; a mistake shows in
            the first digits.

    Raises:
        CheckFailure: no gradient, another shape, a value that is not finite or out of tolerance, or a function that
            does not depend on `x`, whose gradient shows nothing.

    Source: central differences; Nocedal & Wright, Numerical Optimization, 2nd ed., 8.1. Stanford CS231n, notes on
        neural networks 3, "Gradient checks" (tolerances, kinks).
    """
    _assert_derivative(actual, _Loss(f, along), x, rng, closeness)


@dataclass(frozen=True)
class _Loss:
    """A number made of what a function returns: the sum of `along` times it, or of it."""

    f: Function
    along: Tensor | None

    def terms(self, point: Tensor) -> Tensor:
        """What the loss is the sum of, for a float64 input; shape of the result, float64."""
        out = self.f(point.clone())
        if self.along is not None:
            assert_shape(out, self.along.shape)
        assert_finite(out)
        (plain,) = unpack_tensors((out,), "the result")
        return plain.double() if self.along is None else plain.double() * self.along.double()

    def slopes(self, x: Tensor, directions: Tensor, step: float) -> Tensor:
        """The slopes along some directions (n, *x.shape), by central differences: shape (n,), float64."""
        point, length = x.detach().double(), step * _size_of(x)
        # The terms are subtracted before they are summed: large ones that stay as they are take no digits.
        ends = ((self.terms(point + length * one), self.terms(point - length * one)) for one in directions.double())
        return torch.stack([(above - below).sum() / (2 * length) for above, below in ends])


def _assert_derivative(
    actual: object, loss: _Loss, x: Tensor, rng: torch.Generator, closeness: Closeness, *, may_be_flat: bool = False
) -> None:
    name = closeness.get("name", "the gradient")
    _require_gradient(actual, name)
    assert_shape(actual, x.shape, name=name)
    assert_finite(actual, name=name)
    if not x.numel():
        return
    (gradient,) = unpack_tensors((actual,), name)
    directions = _directions(x, rng)
    found = directions.flatten(1) @ gradient.double().flatten()
    # What rounding makes of a slope of 0, in float64 and, for a loss that may have none, in float32.
    unit = loss.terms(x.detach().double()).abs().sum().item() / _size_of(x)
    failures: list[CheckFailure] = []
    tried: list[Tensor] = []
    for step in STEPS:
        slopes = loss.slopes(x, directions, step)
        largest = slopes.abs().max().item()
        if not (largest > 1e-9 * unit or may_be_flat):
            hint = f"{name} cannot be compared, because the result does not depend on that input."
            raise CheckFailure(f"{name}: the loss is constant; largest slope {largest:.3g}", hint)
        atol = closeness.get("atol", max(1e-3 * largest, 1e-6 * unit if may_be_flat else 0.0))
        try:
            return _assert_slopes(found, slopes, x, {"rtol": closeness.get("rtol", 1e-3), "atol": atol, "name": name})
        except CheckFailure as failure:
            failures.append(failure)
            tried.append(slopes)
    # A function that computes in float32, or adds noise, has no true slope at the smallest step.
    is_exact = ((tried[0] - tried[1]).abs() <= 1e-2 * tried[1].abs().max()).all()
    raise failures[0 if is_exact else -1]


def _assert_slopes(found: Tensor, slopes: Tensor, x: Tensor, closeness: Closeness) -> None:
    """Compare element by element, in the shape of the input, or along random directions, shape (n,)."""
    is_elementwise = x.numel() <= ELEMENTWISE
    shape = x.shape if is_elementwise else slopes.shape
    try:
        assert_close(found.reshape(shape), slopes.reshape(shape), **closeness)
    except CheckFailure as failure:
        text = f"{closeness['name']} is not the derivative of the function, as finite differences give it."
        hint = f"{text} Is a term missing or wrong, or is the way from the input to the result detached in one place?"
        if is_elementwise:
            raise CheckFailure(
                failure.rationale, f"{failure.hint} It is{text.removeprefix(closeness['name'] + ' is')}"
            ) from failure
        raise CheckFailure(f"along {len(slopes)} random directions: {failure.rationale}", hint) from failure


def assert_input_gradients(
    student: Side, f: Any, inputs: Inputs, *, rng: torch.Generator, **closeness: Unpack[Closeness]
) -> None:
    """Check that autograd through a function gives the derivatives of that function, by central differences.

    It finds gradients that are cut off on one of several ways, and backward functions of `torch.autograd.Function`.
    The loss is a random combination of the (first) result, drawn outside.

    Args:
        student: runs the backward pass where `f` is.
        f: a function or a module in evaluation; deterministic, and differentiable in float64.
        inputs: of one call; each floating point tensor is sent in float64, and its gradient compared.
        rng: draws the loss and the directions.
        closeness: see `assert_gradient`.

    Raises:
        CheckFailure: a gradient is missing, not finite or not the derivative.
    """
    arguments = _in_double(inputs)
    along = _random_loss(f, arguments, rng)
    found = student.gradients(f, arguments, along)
    for index, value in enumerate(arguments):
        if _is_differentiable(value):
            options: Closeness = {**closeness, "name": closeness.get("name", f"the gradient of argument {index + 1}")}
            assert_gradient(found[index], _of_argument(f, arguments, index), value, rng=rng, along=along, **options)


def assert_parameter_gradients(
    student: Side,
    module: Any,
    inputs: Inputs,
    *,
    rng: torch.Generator,
    names: Collection[str] = (),
    **closeness: Unpack[Closeness],
) -> None:
    """Check that autograd gives each parameter of a module the derivative by that parameter, by central differences.

    Args:
        student: runs the backward pass, and copies weights.
        module: deterministic (in evaluation, if it has dropout). It is turned into float64 and left so.
        inputs: of one call; floating point tensors are sent in float64.
        rng: draws the loss and the directions.
        names: parameters that the task's text names: hints may name them, and they must be there.
        closeness: see `assert_gradient`.

    Raises:
        CheckFailure: a named parameter is missing, or a gradient is missing, not finite or not the derivative.
    """
    module.double()
    arguments = _in_double(inputs)
    along = _random_loss(module, arguments, rng)
    student.gradients(module, arguments, along)
    found = _named_gradients(student, module, names)
    weights = weights_of(module, found)
    for name, gradient in found.items():

        def result(weight: Tensor, name: str = name) -> object:
            # The changed one comes last: a parameter with two names is copied by both.
            others = {other: value for other, value in weights.items() if other != name}
            student.copy_weights(module, {**others, name: weight})
            return _first(module(*arguments))

        options: Closeness = {**closeness, "name": _public_name(name, names)}
        with_name = f"{name!r:.200}"
        try:
            _assert_derivative(gradient, _Loss(result, along), weights[name], rng, options, may_be_flat=True)
        except CheckFailure as failure:
            raise CheckFailure(f"{with_name}: {failure.rationale}", failure.hint) from failure
        finally:
            student.copy_weights(module, weights)


def assert_has_gradient(student: Side, f: Any, inputs: Inputs, *, rng: torch.Generator) -> None:
    """Check that a gradient reaches every floating point input: nothing on the way is detached.

    Args:
        student: runs the backward pass where `f` is.
        f: a function or a module; of several results the first counts.
        inputs: of one call.
        rng: draws the loss, a random combination of the result: the sum of a softmax, say, has no gradient.

    Raises:
        CheckFailure: an input has no gradient, one that is 0 everywhere, not finite, or of another shape.
    """
    arguments = as_tuple(inputs)
    found = student.gradients(f, arguments, _random_loss(f, arguments, rng))
    for index, value in enumerate(arguments):
        if _is_differentiable(value) and value.numel():
            name = f"the gradient of argument {index + 1}"
            _require_nonzero(found[index], name, has_effect=True)
            assert_shape(found[index], value.shape, name=name)


def assert_parameters_have_gradients(
    student: Side,
    module: Any,
    inputs: Inputs,
    *,
    rng: torch.Generator,
    names: Collection[str] = (),
    no_effect: Collection[str] = (),
) -> None:
    """Check that every parameter of a module that learns receives a gradient that is not 0 everywhere.

    Args:
        student: runs the backward pass where the module is.
        module: whose last layer is not initialised with zeros: that stops all gradients before it.
        inputs: of one call, which should use every part of the module: each row of an embedding table, say, is used
            if one of them is.
        rng: draws the loss, a random combination of the (first) result.
        names: parameters that the task's text names: hints may name them, and they must be there.
        no_effect: those of which the gradient may be 0 by mathematics, as of the bias of keys in attention.

    Raises:
        CheckFailure: there is no parameter, a named one is missing, or one has no gradient, or 0, or one that is not
            finite.
    """
    arguments = as_tuple(inputs)
    student.gradients(module, arguments, _random_loss(module, arguments, rng))
    for name, gradient in _named_gradients(student, module, names).items():
        try:
            _require_nonzero(gradient, _public_name(name, names), has_effect=name not in no_effect)
        except CheckFailure as failure:
            raise CheckFailure(f"{name!r:.200}: {failure.rationale}", failure.hint) from failure


def weights_of(module: Any, names: Iterable[str]) -> dict[str, Tensor]:
    """Copies of some parameters of a module, as its `state_dict` gives them.

    Raises:
        CheckFailure: there is no such dict, or a parameter in it is no floating point tensor.
    """
    state = module.state_dict()
    hint = "The state_dict() of the module does not hold its parameters. Leave that method of nn.Module as it is."
    if not isinstance(state, dict):
        raise CheckFailure(f"state_dict: expected a dict, got {type(state).__name__}", hint)
    weights = {}
    for name in names:
        (plain,) = unpack_tensors((state.get(name),), "a parameter")
        if not plain.is_floating_point():
            raise CheckFailure(f"state_dict: {name!r:.200} has dtype {plain.dtype}", hint)
        weights[name] = plain.clone()
    return weights


def _named_gradients(student: Side, module: Any, names: Collection[str]) -> Mapping[str, object]:
    found = student.parameter_gradients(module)
    missing = [name for name in names if name not in found]
    if missing or not found:
        text = f"The task's text names a parameter `{missing[0]}`" if missing else "The module has no parameter"
        hint = f"{text}{', which your module does not have or does not train' if missing else ' that learns'}."
        raise CheckFailure(f"{hint} Parameters: {list(found)!r:.500}", hint)
    return {name: found[name] for name in (*names, *found)}  # first those that a hint may name


def _public_name(name: str, names: Collection[str]) -> str:
    """What a student may read: a name that the submission has made up could hold a hidden value."""
    return f"the gradient of {name}" if name in names else "the gradient of a parameter"


def _require_gradient(actual: object, name: str) -> None:
    if actual is None:
        raise CheckFailure(f"{name}: none", f"There is no {name.removeprefix('the ')}: nothing arrives. {NONE_HINT}")


def _require_nonzero(gradient: object, name: str, *, has_effect: bool) -> None:
    _require_gradient(gradient, name)
    assert_finite(gradient, name=name)
    (plain,) = unpack_tensors((gradient,), name)
    if has_effect and not plain.any():
        hint = f"{name} is 0 everywhere. Is its effect on the result cut off, cancelled or multiplied by 0?"
        raise CheckFailure(f"{name} is 0", hint)


def _size_of(x: Tensor) -> float:
    """The mean size of the elements; 1 where they are all 0."""
    return x.detach().double().abs().mean().item() or 1.0


def _directions(x: Tensor, rng: torch.Generator) -> Tensor:
    """Each element's own direction, or some random ones; shape (n, *x.shape), float64."""
    if x.numel() <= ELEMENTWISE:
        return torch.eye(x.numel(), dtype=torch.float64).reshape(-1, *x.shape)
    return torch.randn(DIRECTIONS, *x.shape, generator=rng, dtype=torch.float64)


def _random_loss(f: Function, arguments: tuple[Any, ...], rng: torch.Generator) -> Tensor:
    """The gradient of a random linear loss with respect to the first result, in the dtype of that result."""
    (out,) = unpack_tensors((_first(f(*arguments)),), "the result")
    if not out.is_floating_point():
        hint = "The result holds whole numbers or bools, which have no gradient."
        raise CheckFailure(f"the result has dtype {out.dtype}", hint)
    return torch.randn(out.shape, generator=rng, dtype=torch.float64).to(out.dtype)


def _of_argument(f: Function, arguments: tuple[Any, ...], index: int) -> Callable[[Tensor], object]:
    """The function as one of the argument of that index alone."""
    return lambda value: _first(f(*arguments[:index], value, *arguments[index + 1 :]))


def _first(result: object) -> object:
    # type(), not isinstance(): a class of the student's may bring its own indexing.
    return result[0] if type(result) in (tuple, list) and result else result  # type: ignore[index]


def _in_double(inputs: Inputs) -> tuple[Any, ...]:
    return tuple(value.double() if _is_differentiable(value) else value for value in as_tuple(inputs))


def _is_differentiable(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()
