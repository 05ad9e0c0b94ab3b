"""Hypotheses about numbers and flags among the arguments; tested with the author's reference."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

from torch import Tensor

from tensorgrade.checks.diagnosis.case import Case, Cause, Guess, guess

AXIS = re.compile(r"dim|dims|axis|axes")
VARIANCE = re.compile(r"unbiased|correction|ddof|biased")
EPSILON = re.compile(r"eps|epsilon|\w*_eps")
CORRECTION = "The sum of squares is divided by n - 1 in one place and by n in the other."
DIAGONAL = "The mask is off by one: as if `{}` were one larger or smaller. Reread: `<` or `<=`, and where ranges end."


def plain_arguments(case: Case) -> dict[str, object]:
    """The arguments that are no tensors, with the defaults of those that the check left out."""
    given = {name: x for name, x in case.facts.inputs.items() if not isinstance(x, Tensor)}
    return {**{name: x for name, x in defaults_of(case).items() if name not in case.facts.inputs}, **given}


def defaults_of(case: Case) -> dict[str, object]:
    """The defaults of the reference's parameters."""
    if case.facts.reference is None:
        return {}
    parameters = inspect.signature(case.facts.reference).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not inspect.Parameter.empty}


def altered_numbers(case: Case) -> Iterator[Guess]:
    """Plain arguments: another axis, a flag turned, an argument ignored."""
    if not case.is_reproducible:
        return
    for name, value in plain_arguments(case).items():
        for other, cause, hint in _others(case, name, value):
            result = case.recompute(**{name: other})
            if result is not None:
                yield guess(result, cause, hint)


def _others(case: Case, name: str, value: object) -> Iterator[tuple[object, Cause, str]]:
    """Other values for an argument, with what each of them would mean."""
    if EPSILON.fullmatch(name):
        return
    if VARIANCE.fullmatch(name):
        flags: tuple[object, ...] = (not value, 0, 1)
        for flag in flags:
            yield flag, Cause.VARIANCE, f"{CORRECTION} Reread: `{name}`, and the formula of the variance."
    elif AXIS.fullmatch(name):
        yield from _other_axes(case, name, value)
    elif name in case.facts.inputs:
        text = f"The argument `{name}` has no effect on your result. Reread: where `{name}` enters the computation."
        for other in _neutral(case, name, value):
            yield other, Cause.ARGUMENT_IGNORED, text
        if isinstance(value, int) and not isinstance(value, bool) and case.is_binary:
            for step in (-1, 1):
                yield value + step, Cause.MASK_OFF_BY_ONE, DIAGONAL.format(name)


def _other_axes(case: Case, name: str, value: object) -> Iterator[tuple[object, Cause, str]]:
    axes = max((x.dim() for x in case.facts.inputs.values() if isinstance(x, Tensor)), default=0)
    cause = Cause.SOFTMAX_AXIS if _is_distribution(case) else Cause.INPUT_AXIS
    for axis in range(axes):
        if axis != value and axis - axes != value:
            text = f"The computation runs along axis {axis}, which is not the one asked for. Reread: `{name}`."
            yield axis, cause, text


def _is_distribution(case: Case) -> bool:
    """Whether the expected value, or its exponential, sums to 1 along an axis."""
    for values in (case.expected, case.expected.exp()):
        for axis in range(values.dim()):
            if bool((values >= 0).all()) and bool(((values.sum(axis) - 1).abs() < 1e-4).all()):
                return True
    return False


def _neutral(case: Case, name: str, value: object) -> Iterator[object]:
    """What an argument may be where it is not used: its default, nothing, no effect."""
    wanted: list[object] = [defaults_of(case)[name]] if name in defaults_of(case) else []
    if isinstance(value, bool):
        wanted.append(not value)
    elif isinstance(value, int | float):
        wanted += [0, 1] if isinstance(value, int) else [0.0, 1.0]
    else:
        wanted.append(None)
    yield from (other for other in wanted if type(other) is not type(value) or other != value)
