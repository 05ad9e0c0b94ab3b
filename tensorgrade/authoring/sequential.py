"""Which rule tells two normal distributions apart with stated chances of error, and what its chances are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist, fmean

import torch
from numpy.polynomial.legendre import leggauss
from scipy.special import betaincinv, stdtrit
from torch import Tensor

from tensorgrade.grading.calibration import MOST_SEEDS, Rule

NODES = 48  # of the quadrature
NARROWEST = 40  # a narrower normal than the 40th part of the undecided interval is not resolved by these nodes
DRAWS = 2000
DRAW_SEED = 20
LEAST_SPREAD = 0.01  # of the distance: values that never differ do not say how much others would


@dataclass(frozen=True)
class Sample:
    """Values of a kind of submission, such that a larger one is better.

    Attributes:
        values: at least two.
        is_right: whether the submissions are correct; their spread counts downwards, that of wrong ones upwards.
    """

    values: tuple[float, ...]
    is_right: bool

    @cached_property
    def mean(self) -> float:
        """The mean."""
        return fmean(self.values)

    @cached_property
    def spread(self) -> float:
        """The standard deviation, or that of the half that lies towards the other kind, if it is larger."""
        squares = [(value - self.mean) ** 2 for value in self.values]
        towards = [
            square for value, square in zip(self.values, squares, strict=True) if (value < self.mean) == self.is_right
        ]
        both = sum(squares) / (len(squares) - 1)
        return math.sqrt(max(both, fmean(towards) if towards else 0.0))

    def reach(self, chance: float, seeds: int) -> float:
        """How far from the mean of these values the mean of new ones lies with at most this chance, to one side.

        Source: the prediction interval for a mean; Hahn and Meeker, Statistical Intervals (1991), 4.8.
        """
        quantile = stdtrit(len(self.values) - 1, 1 - chance)  # of Student's t distribution
        return float(quantile) * self.spread * math.sqrt(1 / seeds + 1 / len(self.values))


@dataclass(frozen=True)
class Chance:
    """A chance that was estimated from some runs, all numbers from 0 to 1.

    Attributes:
        expected: for the next submission, what is not known of the distribution included.
        low: 2.5 % of the distributions that fit the runs have a lower chance.
        high: 2.5 % have a higher one.
    """

    expected: float
    low: float
    high: float


def design_rule(right: Sample, wrong: Sample, alpha: float, beta: float) -> Rule | None:
    """The rule with the fewest seeds that keeps both chances of error; None where 10 seeds do not.

    Half of each chance is for the decision after the last seed, and half for those before it. For the last one the
    means of new values are predicted, which takes into account how few were measured. Before it a sum of normal
    values with mean d > 0 and standard deviation s ever falls below -b with a chance of at most exp(-2 d b / s^2);
    s is taken larger by as much as the prediction is wider than the normal distribution.

    Args:
        right: values of correct submissions.
        wrong: values of wrong ones, whose mean is lower.
        alpha: chance to fail a correct one.
        beta: chance to pass a wrong one.

    Source: Wald, Annals of Mathematical Statistics 16 (1945) 117-186, (3.28) and section 4.
    """
    distance = right.mean - wrong.mean
    if not distance > 0:
        return None
    floor = LEAST_SPREAD * distance
    for seeds in range(1, MOST_SEEDS + 1):
        down, up = max(right.reach(alpha / 2, seeds), floor), max(wrong.reach(beta / 2, seeds), floor)
        if down + up <= distance:
            to_right, to_wrong = distance * down / (down + up), distance * up / (down + up)
            return Rule(
                threshold=wrong.mean + to_wrong,
                higher_is_better=True,
                clear_pass=_margin(wrong, beta / 2, to_wrong, floor),
                clear_fail=_margin(right, alpha / 2, to_right, floor),
                most_seeds=seeds,
            )
    return None


def _margin(sample: Sample, chance: float, distance: float, floor: float) -> float:
    """How far a sum must go to be reached with at most this chance by values at this distance on the other side."""
    spread = max(sample.reach(chance, 1), floor) / NormalDist().inv_cdf(1 - chance)
    return spread**2 * -math.log(chance) / (2 * distance)


def chance_to_pass(rule: Rule, mean: Tensor, spread: Tensor) -> tuple[Tensor, Tensor]:
    """The chance that a submission passes whose values are normal, and how many seeds that takes on average.

    Args:
        rule: one for which higher is better.
        mean: of the values, shape (n,), float64.
        spread: their standard deviation, shape (n,), above 0.

    Returns:
        Chances and numbers of seeds, each of shape (n,).

    Source: the sum's density before each repetition, by recursive integration; Armitage, McPherson and Rowe, Journal
        of the Royal Statistical Society A 132 (1969) 235-244.
    """
    low, high = -rule.clear_fail, rule.clear_pass
    nodes, weights = map(torch.from_numpy, leggauss(NODES))
    places, weights = low + (nodes + 1) * (high - low) / 2, weights * (high - low) / 2
    drift = (mean - rule.threshold)[:, None]
    scale = spread.clamp(min=(high - low) / NARROWEST)[:, None]
    passed, seeds = torch.zeros_like(mean), torch.zeros_like(mean)
    sums, mass = torch.zeros(1, dtype=mean.dtype), torch.ones(len(mean), 1, dtype=mean.dtype)  # before the first one
    for number in range(1, rule.most_seeds + 1):
        seeds += mass.sum(1)
        last = number == rule.most_seeds
        passed += (mass * torch.special.ndtr((sums + drift - (0.0 if last else high)) / scale)).sum(1)
        if not last:
            steps = (places[None, None, :] - sums[None, :, None] - drift[:, :, None]) / scale[:, :, None]
            density = torch.exp(-0.5 * steps.square()) / (math.sqrt(2 * math.pi) * scale[:, :, None])
            mass = (mass[:, :, None] * density).sum(1) * weights
            sums = places
    return passed, seeds


def chance_of_error(rule: Rule, sample: Sample) -> Chance:
    """The chance that a submission like these gets the wrong verdict.

    Distributions that fit the runs are drawn: the variance from the scaled inverse chi-squared distribution, then the
    mean. For the chance of a normal value beyond a limit this interval is exact.

    Args:
        rule: one for which higher is better.
        sample: the runs.

    Source: generalised confidence intervals; Krishnamoorthy and Mathew, Statistical Tolerance Regions (2009), 2.3.
    """
    generator = torch.Generator().manual_seed(DRAW_SEED)
    free = len(sample.values) - 1
    squares = torch.randn(DRAWS, free, generator=generator, dtype=torch.float64).square().sum(1)
    spread = max(sample.spread, 1e-12) * (free / squares).sqrt()
    shift = torch.randn(DRAWS, generator=generator, dtype=torch.float64) * spread / math.sqrt(len(sample.values))
    passed, _ = chance_to_pass(rule, sample.mean + shift, spread)
    wrong = (1 - passed if sample.is_right else passed).clamp(0, 1)
    low, high = torch.quantile(wrong, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Chance(wrong.mean().item(), low, high)


def expected_seeds(rule: Rule, sample: Sample) -> float:
    """How many seeds a submission like these takes on average."""
    mean, spread = (torch.tensor([value], dtype=torch.float64) for value in (sample.mean, max(sample.spread, 1e-12)))
    return chance_to_pass(rule, mean, spread)[1].item()


def most_beyond(count: int, runs: int, confidence: float = 0.95) -> float:
    """The largest share of all runs that lie beyond a limit, if some of those measured do, whatever the distribution.

    Source: Clopper and Pearson, Biometrika 26 (1934) 404-413; one-sided.
    """
    return float(betaincinv(count + 1, runs - count, confidence)) if count < runs else 1.0


def chance_of_outlier(values: Sequence[float], *, below: bool) -> float:
    """The chance that as many normal values have one as far from their mean, in their own standard deviations.

    Source: simulation of the statistic of Grubbs, Annals of Mathematical Statistics 21 (1950) 27-58.
    """
    sign = -1.0 if below else 1.0
    generator = torch.Generator().manual_seed(DRAW_SEED)
    drawn = torch.randn(DRAWS, len(values), generator=generator, dtype=torch.float64)
    own = sign * torch.tensor(values, dtype=torch.float64)[None]
    farthest = [(rows.max(1).values - rows.mean(1)) / rows.std(1).clamp(min=1e-300) for rows in (own, drawn)]
    return (farthest[1] >= farthest[0]).double().mean().item()
