"""Compares a returned value with the reference, and names the likely mistake.

Whatever a submission returned may be passed as ``actual``: the answer is silence or `CheckFailure`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor

from tensorgrade.checks.diagnosis import NO_FACTS, Facts, diagnose
from tensorgrade.errors import CheckFailure

# dtype: (rtol, atol). Source: torch.testing.assert_close.
DEFAULT_TOLERANCES = {
    torch.float64: (1e-7, 1e-7),
    torch.float32: (1.3e-6, 1e-5),
    torch.float16: (1e-3, 1e-5),
    torch.bfloat16: (1.6e-2, 1e-5),
}
EXACT = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def unpack_tensors(actual: object, *names: str) -> tuple[Tensor, ...]:
    """Check that a returned value is a tuple of tensors, and give them.

    Args:
        actual: from the submission, anything.
        names: what the task calls the tensors, in their order.

    Returns:
        As many plain tensors as there are names; their shapes are still unchecked.

    Raises:
        CheckFailure: it is no tuple or list of that length, or an item is not a tensor.
    """
    items: tuple[object, ...] | None = None
    # The built-in iterators: a subclass may bring its own, which can raise anything.
    for kind in (tuple, list):
        items = tuple(kind.__iter__(actual)) if issubclass(type(actual), kind) else items  # type: ignore
    if items is None or len(items) != len(names):
        got = _kind_of(actual) if items is None else f"{len(items) if len(items) < 10 else 'many'} items"
        text = f"expected {len(names)} tensors, ({', '.join(names)}), got {got}."
        _fail(text, f"{text} End with `return {', '.join(names)}`.")
    return tuple(_as_tensor(item, name) for item, name in zip(items, names, strict=True))


def assert_shape(actual: object, shape: Sequence[int], *, name: str = "the result") -> None:
    """Check that a returned value is a tensor of the given shape.

    Args:
        actual: from the submission, anything.
        shape: the expected sizes. Students read them in the hint, so they must not be a secret.
        name: what the task calls the value.

    Raises:
        CheckFailure: it is not a tensor, or its shape differs; a shape that broadcasts differs too.
    """
    _check_shape(_as_tensor(actual, name), tuple(shape), name)


def assert_dtype(actual: object, dtype: torch.dtype, *, name: str = "the result") -> None:
    """Check that a returned value is a tensor of exactly the given dtype.

    Args:
        actual: from the submission, anything.
        dtype: the expected one. Students read it in the hint, so it must not be a secret.
        name: what the task calls the value.

    Raises:
        CheckFailure: it is not a tensor, or its dtype differs.
    """
    got = _as_tensor(actual, name).dtype
    if got != dtype:
        text = f"{name}: expected dtype {str(dtype).removeprefix('torch.')}, got {str(got).removeprefix('torch.')}."
        _fail(text, f"{text} A result should keep the precision of its inputs, unless the task says otherwise.")


def assert_finite(actual: object, *, name: str = "the result") -> None:
    """Check that a returned value is a tensor without NaN and infinity.

    Args:
        actual: from the submission, anything; any shape, an empty one and integers are finite.
        name: what the task calls the value.

    Raises:
        CheckFailure: it is not a tensor, or a value is NaN or infinite. The rationale names the first index.
    """
    plain = _as_tensor(actual, name)
    odd = ~plain.isfinite()
    if odd.any():
        text = f"{_count(odd)} values of {name} are NaN or infinite"
        first = tuple(odd.nonzero()[0].tolist())
        hint = "Look for a division by 0, a log of 0, an exp of a large number, or a row in which everything is masked."
        _fail(f"{text}; the first at index {first}: {_show(plain[first])}", f"{text}. {hint}")


def relative_error(a: Tensor, b: Tensor) -> float:
    """The largest relative error of two tensors: max of ``|a - b| / max(1e-8, |a| + |b|)`` over the elements.

    It lies between 0 and 1, is 1 where only one of the two is 0, 0 for tensors without elements, and NaN if an
    element is NaN. For gradients in float64 that agree it is below 1e-6; below 1e-2 somewhere means a mistake.

    Args:
        a: any shape, floating point or integer.
        b: the same shape.

    Raises:
        ValueError: the shapes differ.

    Source: Stanford CS231n, notes on neural networks 3, "Gradient checks", and `rel_error` of its assignments.
    """
    if a.shape != b.shape:
        raise ValueError(f"relative_error: expected equal shapes, got {tuple(a.shape)} and {tuple(b.shape)}")
    if a.numel() == 0:
        return 0.0
    a, b = a.detach().cpu().double(), b.detach().cpu().double()
    return ((a - b).abs() / (a.abs() + b.abs()).clamp(min=1e-8)).max().item()


def assert_relative_error(actual: object, expected: Tensor, *, limit: float = 1e-6, name: str = "the result") -> None:
    """Check that the `relative_error` of a returned value is at most a limit, in every element.

    Harder than `assert_close` on elements near 0, where the rounding of one float32 operation can already be a
    relative error of 1: compare in float64, or values that are well away from 0.

    Args:
        actual: from the submission, anything.
        expected: the reference value, any shape.
        limit: allowed relative error (no unit). 1e-6 fits float64; 1e-3 float32 values that are not near 0.
        name: what the task calls the value.

    Raises:
        CheckFailure: not a tensor, another shape or kind of dtype, NaN, infinity, or an element above the limit.

    Source: see `relative_error`.
    """
    given = _as_tensor(actual, name)
    _check_shape(given, tuple(expected.shape), name)
    _check_dtype(given, expected, name)
    assert_finite(given, name=name)
    error = relative_error(given, expected)
    if not error <= limit:
        text = f"{name}: the relative error is too large"
        _fail(f"{text}: {error:.3g}, expected at most {limit:g}", f"{text}, above {limit:g}.")


def assert_close(
    actual: object,
    expected: Tensor,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    name: str = "the result",
    facts: Facts = NO_FACTS,
) -> None:
    """Check that a returned value equals the reference value within a tolerance.

    A value is close if ``|actual - expected| <= atol + rtol * |expected|``. The default tolerances
    are those of the coarser of the two dtypes (float32: rtol 1.3e-6, atol 1e-5): they allow for
    the rounding of some hundred additions in another order, and a student may compute in float64
    where the reference is float32, or the other way round. Half precision in place of float32 is
    a mistake. Integers and bools must be equal.

    Args:
        actual: from the submission, anything.
        expected: the reference value, any shape; a NaN in it can never be met.
        rtol: allowed relative difference (no unit).
        atol: allowed absolute difference, in units of the value.
        name: what the task calls the value.
        facts: what to say about the value, so that the hint can name the likely mistake.

    Raises:
        CheckFailure: not a tensor, another shape or kind of dtype, NaN, an unexpected infinity, or
            a value out of tolerance. The rationale names the worst index; the hint holds no value,
            and the likely cause if `diagnose` finds one.

    Source: torch.testing.assert_close, table of default tolerances.
    """
    given = _as_tensor(actual, name)
    tolerance = Tolerance.of(given.dtype, expected.dtype, rtol=rtol, atol=atol)
    if given.shape != expected.shape:
        _check_shape(given, tuple(expected.shape), name, _diagnose(given, expected, tolerance, facts))
    _check_dtype(given, expected, name)
    plain = (given, expected.detach().cpu())
    wide, reference = (x.double() if x.is_floating_point() else x.long() for x in plain)
    odd = ~wide.isfinite() & (wide != reference)
    if odd.any():
        text = f"{_count(odd)} values of {name} are NaN or infinite"
        _fail(f"{text}; {_worst(wide, reference, odd)}", f"{text}.{_diagnose(*plain, tolerance, facts)}")
    out = ~tolerance.close(wide, reference)
    if out.any():
        verdict = "out of tolerance" if tolerance.rtol or tolerance.atol else "wrong"
        text = f"{_count(out)} values of {name} are {verdict}"
        limits = f"(rtol {tolerance.rtol:g}, atol {tolerance.atol:g})"
        _fail(
            f"{text} {limits}; worst {_worst(wide, reference, out)}",
            f"{text}.{_diagnose(*plain, tolerance, facts)}",
        )


@dataclass(frozen=True)
class Tolerance:
    """How far a value may be from the reference."""

    rtol: float
    atol: float

    @classmethod
    def of(cls, *dtypes: torch.dtype, rtol: float | None, atol: float | None) -> Tolerance:
        """The given tolerances, or the defaults of the coarser dtype."""
        defaults = [DEFAULT_TOLERANCES.get(dtype, (0.0, 0.0)) for dtype in dtypes]
        coarse_rtol, coarse_atol = (max(values) for values in zip(*defaults, strict=True))
        return cls(coarse_rtol if rtol is None else rtol, coarse_atol if atol is None else atol)

    def close(self, actual: Tensor, expected: Tensor) -> Tensor:
        """Where the values are close: bool, shape of both."""
        same = actual == expected
        if self.rtol == self.atol == 0:
            return same  # a difference of integers could overflow
        actual, expected = actual.double(), expected.double()
        # An infinite reference would make the allowed difference infinite: only equality counts there.
        near = (actual - expected).abs() <= self.atol + self.rtol * expected.abs()
        return same | (near & actual.isfinite() & expected.isfinite())


def _as_tensor(actual: object, name: str) -> Tensor:
    # type(), not isinstance(): an object can claim another __class__.
    if not issubclass(type(actual), Tensor):
        _fail(f"{name}: expected a torch.Tensor, got {_kind_of(actual)}", _tensor_hint(actual, name))
    try:
        plain = torch.Tensor.detach(actual).cpu()  # type: ignore[arg-type]
        dense = (plain if plain.layout == torch.strided else plain.to_dense()).as_subclass(Tensor)
        if type(dense) is Tensor and dense.dtype in (*EXACT, *DEFAULT_TOLERANCES):
            return dense
    except Exception as error:
        reason = type(error).__name__
    else:
        reason = "of an unusual kind or dtype"
    _fail(f"{name}: the tensor cannot be read ({reason})", f"{name}: return an ordinary, dense CPU tensor.")


def _tensor_hint(actual: object, name: str) -> str:
    advice = "Return a torch tensor."
    if actual is None:
        advice = "Is a `return` missing?"
    elif type(actual).__module__ == "numpy":
        advice = "Stay in torch, or convert at the end with torch.from_numpy."
    elif type(actual) in (bool, int, float):
        advice = "Keep the value in its tensor: no .item(), no float(...)."
    return f"{name} is {_kind_of(actual)}, a torch tensor is expected. {advice}"


def _kind_of(actual: object) -> str:
    known = (bool, int, float, complex, str, bytes, tuple, list, dict, set)
    if actual is None:
        return "None"
    if issubclass(type(actual), Tensor):
        return "a single tensor"
    if type(actual).__module__ == "numpy":
        return "a NumPy value"
    return f"a Python {type(actual).__name__}" if type(actual) in known else "an object of another class"


def _check_shape(actual: Tensor, expected: tuple[int, ...], name: str, diagnosis: str = "") -> None:
    shape = tuple(actual.shape)
    if shape == expected:
        return
    advice = "" if len(shape) == len(expected) else f" It has {len(shape)} axes instead of {len(expected)}."
    if not diagnosis and len(shape) > 1 and (*shape[:-2], shape[-1], shape[-2]) == expected:
        advice = " The last two axes are swapped."
    # A size can be any number, also one that encodes a hidden input: students read those they know.
    sizes = [str(size) if size in {0, 1, *expected} else "?" for size in shape[: len(expected) + 2]]
    if "?" in sizes:
        advice += " A ? is a size that is not among the expected ones."
    got = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
    _fail(
        f"{name}: expected shape {expected}, got {shape}.",
        f"{name}: expected shape {expected}, got {got}.{advice}{diagnosis}",
    )


def _check_dtype(actual: Tensor, expected: Tensor, name: str) -> None:
    kind, wanted = _dtype_kind(actual.dtype), _dtype_kind(expected.dtype)
    got = str(actual.dtype).removeprefix("torch.")
    text = f"{name}: expected a tensor of {wanted} values, got {got}."
    if kind != wanted:
        advice = " A comparison such as `i <= j` gives bool values." if wanted == "bool" else ""
        _fail(text, text + advice)
    if actual.dtype.itemsize < 4 and expected.dtype.itemsize > 2 and wanted == "float":
        _fail(text, f"{name} is in {got}, which loses digits. Keep the precision of the inputs.")


def _dtype_kind(dtype: torch.dtype) -> str:
    return "bool" if dtype == torch.bool else "float" if dtype.is_floating_point else "integer"


def _count(flags: Tensor) -> str:
    return f"{int(flags.sum())} of {flags.numel()}"


def _worst(actual: Tensor, expected: Tensor, out: Tensor) -> str:
    distance = (actual - expected).double().abs().nan_to_num(nan=math.inf).masked_fill(~out, -1.0)
    # Not torch's: its first call imports sympy, for more than a second.
    index = tuple(int(i) for i in np.unravel_index(int(distance.argmax()), distance.shape))
    return f"at index {index}: expected {_show(expected[index])}, got {_show(actual[index])}"


def _show(value: Tensor) -> str:
    number = value.item()
    return str(number) if isinstance(number, int) else f"{number:.7g}"


def _diagnose(actual: Tensor, expected: Tensor, tolerance: Tolerance, facts: Facts) -> str:
    """The likely cause as one more sentence, or nothing."""
    found = diagnose(actual, expected, facts, rtol=tolerance.rtol, atol=tolerance.atol)
    return f" {found.hint}" if found else ""


def _fail(rationale: str, hint: str) -> NoReturn:
    raise CheckFailure(rationale, hint)
