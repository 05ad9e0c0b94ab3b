"""Tries the hypotheses, from the most specific to the least, and gives the first that holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, islice

import torch
from torch import Tensor

from tensorgrade.checks.diagnosis.arguments import altered_numbers
from tensorgrade.checks.diagnosis.axes import moved_values
from tensorgrade.checks.diagnosis.calls import earlier_calls, known_mistakes
from tensorgrade.checks.diagnosis.case import NO_FACTS, Case, Diagnosis, Facts, Guess
from tensorgrade.checks.diagnosis.epsilons import moved_epsilons
from tensorgrade.checks.diagnosis.logs import logs_and_exponentials, scaled_scores
from tensorgrade.checks.diagnosis.masked_inputs import altered_masks
from tensorgrade.checks.diagnosis.masks import expected_masks, masked_values
from tensorgrade.checks.diagnosis.norms import wrong_norm_axis, wrong_softmax_axis
from tensorgrade.checks.diagnosis.rows import constant_values, some_rows, zero_values
from tensorgrade.checks.diagnosis.scales import scaled_values, shifted_along_an_axis, summed_along_an_axis
from tensorgrade.checks.diagnosis.shapes import diagnose_dtype, diagnose_shape, lost_digits
from tensorgrade.checks.diagnosis.tensors import altered_tensors
from tensorgrade.checks.diagnosis.unstable import odd_values, unstable_values

Hypotheses = Callable[[Case], Iterator[Guess | Diagnosis]]

# In this order: what an author knows, what one number explains, what a place in memory explains,
# what altered inputs explain, and at last what is merely true.
FAMILIES: tuple[Hypotheses, ...] = (
    known_mistakes,
    earlier_calls,
    altered_masks,
    zero_values,
    lost_digits,
    altered_numbers,
    scaled_values,
    expected_masks,
    moved_values,
    masked_values,
    scaled_scores,
    altered_tensors,
    moved_epsilons,
    wrong_softmax_axis,
    logs_and_exponentials,
    wrong_norm_axis,
    odd_values,
    constant_values,
    shifted_along_an_axis,
    summed_along_an_axis,
    unstable_values,
    some_rows,
)
# What can explain NaN or infinity, too.
FAMILIES_OF_ODD_VALUES: tuple[Hypotheses, ...] = (
    known_mistakes,
    earlier_calls,
    expected_masks,
    altered_masks,
    logs_and_exponentials,
    odd_values,
)
# Values that are compared in all, at most: 0.2 s on one core.
WORK = 20_000_000
FEWEST, MOST = 16, 2000
# Beyond, one pass over the values takes a tenth of a second.
LARGEST = 1 << 22


def diagnose(
    actual: Tensor, expected: Tensor, facts: Facts = NO_FACTS, *, rtol: float, atol: float
) -> Diagnosis | None:
    """Find the likely cause of a wrong value.

    Each hypothesis is tested on the pair: it must give the actual value, at so many independent
    places that it is no coincidence. The search is the same on every run and machine.

    Args:
        actual: from the submission, any shape and dtype; read, never believed.
        expected: the reference value, any shape.
        facts: what the author says about the value.
        rtol: the check's relative tolerance (no unit).
        atol: the check's absolute tolerance, in units of the value.

    Returns:
        The first hypothesis that holds, with a hint that names no hidden value, or None: nothing
        explains the difference, or there is none.
    """
    try:
        return _first(actual.detach().cpu(), expected.detach().cpu(), facts, (rtol, atol))
    # See _attempt.
    except Exception:
        return None


def _first(actual: Tensor, expected: Tensor, facts: Facts, tolerances: tuple[float, float]) -> Diagnosis | None:
    wide = (actual.double(), expected.double())
    case = Case(*wide, facts, *tolerances)
    if actual.shape != expected.shape:
        with _quietly():
            return diagnose_shape(case)
    dtype = diagnose_dtype(actual, expected, case)
    if dtype is not None:
        return dtype
    cost = expected.numel() + sum(x.numel() for x in facts.inputs.values() if isinstance(x, Tensor))
    most = max(FEWEST, min(MOST, WORK // max(cost, 1)))
    with _quietly():
        families = _families_for(case)
        for found in islice(chain.from_iterable(_attempt(family, case) for family in families), most):
            if isinstance(found, Diagnosis):
                return found
            if case.explains(found.value, found.fitted):
                return found.diagnosis
    return None


@contextmanager
def _quietly() -> Iterator[None]:
    """Leave torch's generator as it was, and use one thread: for small tensors a second costs more than it does."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)


def _families_for(case: Case) -> tuple[Hypotheses, ...]:
    if case.expected.numel() > LARGEST:
        return (known_mistakes, earlier_calls, zero_values)
    return FAMILIES if case.actual[case.out].isfinite().all() else FAMILIES_OF_ODD_VALUES


def _attempt(family: Hypotheses, case: Case) -> Iterator[Guess | Diagnosis]:
    """The hypotheses of a family up to the first that cannot be computed for this value."""
    try:
        yield from family(case)
    # They call functions of the author with values that they were not made for, and a hint is an
    # extra: whatever goes wrong here must cost nobody a verdict.
    except Exception:
        return
