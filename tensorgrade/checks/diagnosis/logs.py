"""Hypotheses about logarithms, exponentials and softmax: missing, once too often, or of scaled values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from tensorgrade.checks.diagnosis.case import Case, Cause, Guess, guess
from tensorgrade.checks.diagnosis.scales import factors_of

REREAD = "Reread: which functions take probabilities, and which take their logarithms or scores."
FUNCTIONS: tuple[tuple[Callable[[Tensor], Tensor], str], ...] = (
    (torch.exp, "The values are the exponentials of the right ones: is a logarithm missing, or an exp too many?"),
    (torch.log, "The values are the logarithms of the right ones: is an exp missing, or a logarithm too many?"),
    (torch.log2, "The values are the logarithms of the right ones, to base 2."),
    (torch.log10, "The values are the logarithms of the right ones, to base 10."),
    (torch.log1p, "The values are log(1 + x) of the right ones."),
    (torch.expm1, "The values are exp(x) - 1 of the right ones."),
    (lambda x: -x.log(), "The values are the negative logarithms of the right ones."),
    (lambda x: (-x).exp(), "The values are the exponentials of minus the right ones: is a logarithm missing?"),
    (lambda x: -(-x).exp(), "The values are minus the exponentials of minus the right ones: is a logarithm missing?"),
    (lambda x: -x.exp(), "The values are minus the exponentials of the right ones: is a logarithm missing?"),
    (torch.logit, "The right values are the sigmoid of yours: it is missing."),
    (torch.sigmoid, "The right values went through a sigmoid that does not belong there."),
)


def logs_and_exponentials(case: Case) -> Iterator[Guess]:
    """One function more or less than in the formula."""
    for function, words in FUNCTIONS:
        yield guess(function(case.expected), Cause.LOG_OR_EXP, f"{words} {REREAD}")
    yield from _one_softmax_more_or_less(case)


def _one_softmax_more_or_less(case: Case) -> Iterator[Guess]:
    expected = case.expected
    for axis in range(expected.dim()):
        if expected.shape[axis] < 2:
            continue
        words = f"The right values went through one more softmax, along axis {axis}. {REREAD}"
        yield guess(expected.softmax(axis), Cause.LOG_OR_EXP, words)
        yield guess(expected.log_softmax(axis), Cause.LOG_OR_EXP, words)
        # Scores are known up to a constant in each slice.
        for logarithms in (expected.log(), expected):
            if ((logarithms.exp().sum(axis) - 1).abs() < 1e-4).all():
                constant = (case.actual - logarithms).mean(axis, keepdim=True)
                words = f"A softmax along axis {axis} is missing. {REREAD}"
                yield guess(logarithms + constant, Cause.LOG_OR_EXP, words, fitted=constant.numel())


def scaled_scores(case: Case) -> Iterator[Guess]:
    """Softmax of scores times a factor: the logarithms of both stand in that ratio, slice by slice."""
    for axis in range(case.expected.dim()):
        if case.expected.shape[axis] < 2:
            continue
        for is_log in (False, True):
            aim, got = (x if is_log else x.clamp(min=1e-300).log() for x in (case.expected, case.actual))
            if any(not ((x.exp().sum(axis) - 1).abs() < 1e-4).all() for x in (aim, got)):
                continue
            centred = aim - aim.mean(axis, keepdim=True)
            scale = centred.square().sum().item()
            if scale and got.std(axis).max() > 1e-4 and (is_log or (aim > -80).all()):
                ratio = (got * centred).sum().item() / scale
                scores = (aim * ratio).log_softmax(axis)
                yield _say_ratio(case, scores if is_log else scores.exp(), ratio)


def _say_ratio(case: Case, value: Tensor, ratio: float) -> Guess:
    inside = "What goes into the softmax"
    if math.isclose(ratio, -1, rel_tol=1e-3):
        return guess(
            value, Cause.SIGN, f"{inside} has the wrong sign. Reread: which value must get the most.", fitted=1
        )
    named = (factor for factor in factors_of(case) if math.isclose(abs(ratio), factor.value, rel_tol=1e-3))
    words = next((f"the factor {factor.words}" for factor in named if factor.cause is Cause.FACTOR), "one factor")
    text = f"{inside} is off by {words}. Reread: by what the scores are divided."
    return guess(value, Cause.FACTOR, text, fitted=1)
