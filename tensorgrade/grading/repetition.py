"""Repeats a measurement with new seeds until its verdict is clear."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tensorgrade.errors import CheckFailure, UsageError
from tensorgrade.grading.calibration import Rule, rule_for

HINT_WORDS = {"value", "percent", "seeds"}


@dataclass(frozen=True)
class Run:
    """One repetition of a measurement.

    Attributes:
        number: from 1.
        rng: a generator with a seed of this repetition's own. The student's side has been given a new seed too.
    """

    number: int
    rng: torch.Generator


@dataclass(frozen=True)
class Calibrated:
    """What the fixture `calibrated` gives a check.

    Args:
        rules: the file with the rules.
        begin: gives both sides the seeds of a repetition, by its number from 1, and the check its budget anew.
        metrics: where the mean goes, by name.
        seeds: where the number of repetitions goes, by name.
        is_judging: not so while the calibration itself is made: one repetition is measured, and none is judged.
    """

    rules: Path
    begin: Callable[[int], Run]
    metrics: dict[str, float]
    seeds: dict[str, int]
    is_judging: bool = True

    def __call__(self, name: str, measure: Callable[[Run], Any], *, hint: str) -> float:
        """Measure with new seeds until the verdict is clear, as ``calibration.toml`` says when it is.

        Args:
            name: of the value, one for each assignment, such as ``accuracy``.
            measure: trains and returns the value, a number. What it draws has to come from ``run.rng``.
            hint: for students who fail; ``{value}``, ``{percent}`` (100 times the value) and ``{seeds}`` (such as
                "3 seeds") stand for the mean of their own values and how often it was measured.

        Returns:
            The mean of the values.

        Raises:
            CheckFailure: the mean is on the wrong side of the threshold, a value is no finite number, or
                ``calibration.toml`` has no rule, which the reference solution then fails too.
            ValueError: the hint has another word in braces.
        """
        if unknown := set(re.findall(r"\{(.*?)\}", hint)) - HINT_WORDS:
            raise ValueError(f"calibrated({name!r}): hint: expected only {sorted(HINT_WORDS)}, got {sorted(unknown)}")
        rule = self._rule(name)
        values: list[float] = []
        while rule is None or rule.verdict(values) is None:
            run = self.begin(len(values) + 1)
            values.append(_number(measure(run)))
            self.metrics[name] = sum(values) / len(values)
            self.seeds[name] = len(values)
            if not math.isfinite(values[-1]) and rule is not None:
                words = "The value that this check measures is no finite number. Does the training diverge?"
                raise CheckFailure(f"{name}: {values[-1]} with seed {run.number}, expected a finite number", words)
            if rule is None:
                return values[-1]
        if not rule.verdict(values):
            raise CheckFailure(_rationale(name, rule, values), _filled(hint, values))
        return self.metrics[name]

    def _rule(self, name: str) -> Rule | None:
        if not self.is_judging:
            return None
        try:
            return rule_for(self.rules, name)
        except UsageError as error:
            raise CheckFailure(str(error)) from error


def _number(value: Any) -> float:
    """A measured value; NaN for what is none."""
    if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_complex():
        value = value.item()
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan


def _rationale(name: str, rule: Rule, values: list[float]) -> str:
    mean = sum(values) / len(values)
    each = ", ".join(f"{value:.4g}" for value in values)
    side = "at least" if rule.higher_is_better else "at most"
    return f"{name}: {mean:.4g} with {_seeds(values)} ({each}), expected {side} {rule.threshold:.4g}"


def _filled(hint: str, values: list[float]) -> str:
    mean = sum(values) / len(values)
    words = {"value": f"{mean:.3g}", "percent": f"{100 * mean:.0f}", "seeds": _seeds(values)}
    for word, text in words.items():
        hint = hint.replace(f"{{{word}}}", text)
    return hint


def _seeds(values: list[float]) -> str:
    return "1 seed" if len(values) == 1 else f"{len(values)} seeds"
