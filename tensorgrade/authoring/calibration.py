"""What was measured of a value that decides a check, and the rule that it supports."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean, stdev

from tensorgrade.authoring.sequential import (
    Chance,
    Sample,
    chance_of_error,
    chance_of_outlier,
    design_rule,
    expected_seeds,
    most_beyond,
)
from tensorgrade.grading.calibration import MOST_SEEDS, Rule

LEAST_RUNS = 3
UNLIKELY = 0.01


@dataclass(frozen=True)
class Group:
    """The runs of one version of the assignment.

    Attributes:
        name: of the mutant's or variant's file, or ``reference solution``.
        values: the finite ones, in the order of the seeds.
        is_right: whether it is a correct solution.
        unmeasured: runs that ended before there was a value, or with one that is no finite number: they fail anyway.
    """

    name: str
    values: tuple[float, ...]
    is_right: bool
    unmeasured: int = 0

    @property
    def mean(self) -> float:
        """The mean of the values; NaN if there are none."""
        return fmean(self.values) if self.values else math.nan

    @property
    def spread(self) -> float:
        """Their standard deviation; NaN if there is one value at most."""
        return stdev(self.values) if len(self.values) > 1 else math.nan


@dataclass(frozen=True)
class Calibration:
    """The runs of one value, the chances of error that are allowed, and what follows.

    Attributes:
        name: of the value.
        check: the check that it decides.
        alpha: largest chance to fail a correct solution.
        beta: largest chance to pass a wrong one.
        groups: the runs; one group of correct ones at least.
        fingerprint: a hash of what the values depend on.
        versions: of what they were measured with, for the record.
    """

    name: str
    check: str
    alpha: float
    beta: float
    groups: tuple[Group, ...]
    fingerprint: str = ""
    versions: str = ""

    @property
    def wrong(self) -> tuple[Group, ...]:
        """The groups of mutants that can be compared."""
        return tuple(group for group in self.groups if not group.is_right and len(group.values) >= LEAST_RUNS)

    @property
    def right(self) -> tuple[float, ...]:
        """The values of all correct solutions together."""
        return tuple(value for group in self.groups if group.is_right for value in group.values)

    @cached_property
    def higher_is_better(self) -> bool | None:
        """Which side is the right one; None where a mutant lies on each."""
        sides = {group.mean < fmean(self.right) for group in self.wrong}
        return sides.pop() if len(sides) == 1 else None

    @cached_property
    def nearest(self) -> Group | None:
        """The mutant whose values reach farthest towards the correct ones; None where there is none."""
        return max(self.wrong, key=self._reach, default=None)

    @cached_property
    def rule(self) -> Rule | None:
        """The rule that the runs support, to four digits; None where there is none."""
        if self.nearest is None or self.higher_is_better is None or len(self.right) < LEAST_RUNS:
            return None
        rule = design_rule(
            self._sample(self.right, is_right=True), self._sample_of(self.nearest), self.alpha, self.beta
        )
        if rule is None:
            return None
        return replace(
            rule,
            threshold=_rounded(self._sign * rule.threshold),
            higher_is_better=self.higher_is_better,
            clear_pass=_rounded(rule.clear_pass),
            clear_fail=_rounded(rule.clear_fail),
        )

    @cached_property
    def fails_right(self) -> Chance | None:
        """The chance to fail a correct solution, if there is a rule."""
        return self._error(self._sample(self.right, is_right=True))

    @cached_property
    def passes_wrong(self) -> dict[str, Chance]:
        """By mutant, the chance to pass it, if there is a rule."""
        found = {group.name: self._error(self._sample_of(group)) for group in self.wrong}
        return {name: chance for name, chance in found.items() if chance is not None}

    @cached_property
    def seeds_of_right(self) -> float:
        """How many seeds a correct solution takes on average; NaN without a rule."""
        rule = self._oriented_rule
        return math.nan if rule is None else expected_seeds(rule, self._sample(self.right, is_right=True))

    @property
    def beyond(self) -> tuple[int, float]:
        """How many correct single runs lie on the wrong side, and the largest share of all that then may."""
        sign, rule = self._sign, self.rule
        count = 0 if rule is None else sum(sign * value < sign * rule.threshold for value in self.right)
        return count, most_beyond(count, len(self.right))

    def problems(self) -> Iterator[str]:
        """Why there is no rule, one sentence each."""
        if not self.wrong:
            yield (
                f"{self.name}: no mutant was measured: from what is a correct solution to be told? Name {self.check} "
                "in the line `# killed by:` or `# measured by:` of one"
            )
        elif self.higher_is_better is None:
            means = ", ".join(f"{group.name} {group.mean:.4g}" for group in self.wrong)
            yield (
                f"{self.name}: correct solutions have a mean of {fmean(self.right):.4g}, and there are mutants above "
                f"and below it ({means}). Measure something in which right and wrong lie on two sides"
            )
        elif self.rule is None and self.nearest is not None:
            yield (
                f"{self.name}: up to {MOST_SEEDS} seeds do not tell {self._described(self.right, is_right=True)} from "
                f"{self._described(self.nearest.values, is_right=False)} with chances of error of {self.alpha:g} and "
                f"{self.beta:g}. Train longer or on more data, measure more runs (--seeds), or allow more errors "
                "(--alpha, --beta)"
            )

    def _described(self, values: tuple[float, ...], *, is_right: bool) -> str:
        what = "correct solutions" if is_right or self.nearest is None else f"the mutant {self.nearest.name}"
        spread = self._sample(values, is_right=is_right).spread
        return f"{what} (mean {fmean(values):.4g}, spread {spread:.2g}, {len(values)} runs)"

    def statements(self) -> Iterator[str]:
        """The rule and its chances of error in words, if there is one."""
        rule, fails = self.rule, self.fails_right
        if rule is None or fails is None:
            return
        seeds = "1 seed" if rule.most_seeds == 1 else f"at most {rule.most_seeds} seeds"
        side = "at least" if rule.higher_is_better else "at most"
        yield f"passes with a mean {self.name} of {side} {rule.threshold:g}, {seeds}"
        if rule.most_seeds > 1:
            first = [rule.threshold + self._sign * step for step in (rule.clear_pass, -rule.clear_fail)]
            passing, failing = ("more", "less") if rule.higher_is_better else ("less", "more")
            yield (
                f"clear after the first seed with {first[0]:.4g} or {passing} (passed) and {first[1]:.4g} or {failing} "
                f"(failed); correct solutions take {self.seeds_of_right:.2f} seeds on average"
            )
        count, share = self.beyond
        yield (
            f"chance to fail a correct solution: {said(fails)}; {count} of {len(self.right)} correct runs lie on the "
            f"wrong side, so at most {100 * share:.0f} % of single runs do, whatever their distribution"
        )
        for name, chance in self.passes_wrong.items():
            yield f"chance to pass the mutant {name}: {said(chance)}"

    def remarks(self) -> Iterator[str]:
        """What to know about the rule, one sentence each."""
        for group in self.groups:
            if group.unmeasured:
                yield f"{group.name}: {group.unmeasured} runs gave no finite value, so they fail; they are left out"
        below = self.higher_is_better is not False
        if len(self.right) >= LEAST_RUNS and chance_of_outlier(self.right, below=below) < UNLIKELY:
            worst = (min if below else max)(self.right)
            yield (
                f"the correct run with {self.name} {worst:.4g} lies farther out than normal values do: correct "
                "solutions may fail more often than is said here. Measure more runs, or find out what went wrong there"
            )

    @property
    def _sign(self) -> float:
        return -1.0 if self.higher_is_better is False else 1.0

    @property
    def _oriented_rule(self) -> Rule | None:
        """The rule for the values with the sign that makes higher ones better."""
        if self.rule is None:
            return None
        return replace(self.rule, threshold=self._sign * self.rule.threshold, higher_is_better=True)

    def _sample(self, values: tuple[float, ...], *, is_right: bool) -> Sample:
        return Sample(tuple(self._sign * value for value in values), is_right)

    def _sample_of(self, group: Group) -> Sample:
        return self._sample(group.values, is_right=group.is_right)

    def _reach(self, group: Group) -> float:
        sample = self._sample_of(group)
        return sample.mean + sample.reach(self.beta / 2, 1)

    def _error(self, sample: Sample) -> Chance | None:
        rule = self._oriented_rule
        return None if rule is None else chance_of_error(rule, sample)


def said(chance: Chance) -> str:
    """A chance in words."""
    return f"{_percent(chance.expected)} (95 % interval {_percent(chance.low)} to {_percent(chance.high)})"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share >= 1e-6 else "below 0.0001 %"


def _rounded(value: float) -> float:
    """Four significant digits: what a person can read, and the same on every machine."""
    return float(f"{value:.4g}")
