"""The rule by which a measured value, such as an accuracy, decides a check; read from ``calibration.toml``."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tensorgrade.errors import UsageError

FILE = "calibration.toml"
MOST_SEEDS = 10


@dataclass(frozen=True)
class Rule:
    """Decides on the values of some repetitions, after as few as are needed.

    After n repetitions the values' distances from the threshold, those on the wrong side negative, are added up.
    The verdict is clear where the sum reaches `clear_pass` or falls to ``-clear_fail``. After `most_seeds` the mean
    decides: on the right side of the threshold, or on it, the check passes.

    Attributes:
        threshold: what the mean is compared with, in units of the value.
        higher_is_better: whether the right side is above the threshold, as for an accuracy, not below, as for a loss.
        clear_pass: above 0, in units of the value.
        clear_fail: above 0, in units of the value.
        most_seeds: how many repetitions there are at most, from 1.

    Source: the sequential test of Wald, Annals of Mathematical Statistics 16 (1945) 117-186, truncated.
    """

    threshold: float
    higher_is_better: bool
    clear_pass: float
    clear_fail: float
    most_seeds: int

    def verdict(self, values: Sequence[float]) -> bool | None:
        """Whether the check passes; None while one more repetition has to tell. NaN fails."""
        sign = 1.0 if self.higher_is_better else -1.0
        total = sum(sign * (value - self.threshold) for value in values)
        if not math.isfinite(total):
            return False
        if total >= self.clear_pass:
            return True
        if total <= -self.clear_fail:
            return False
        return total >= 0 if len(values) >= self.most_seeds else None


def read_calibrations(file: Path) -> dict[str, dict[str, Any]]:
    """By name of the value, what was stored about it; nothing where there is no file.

    Raises:
        UsageError: the file cannot be read.
    """
    if not file.exists():
        return {}
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{_place(file)}: cannot be read: {error}") from error
    for name, entry in content.items():
        if not isinstance(entry, dict):
            raise UsageError(f"{_place(file)}: expected a table [{name}], got {entry!r}")
    return content


def rule_for(file: Path, name: str) -> Rule:
    """The rule for a value.

    Raises:
        UsageError: there is none, or it is not as `tensorgrade calibrate` writes it.
    """
    entries = read_calibrations(file)
    if name not in entries:
        command = f"tensorgrade calibrate {file.parent.name}"
        raise UsageError(f"{_place(file)}: {name!r} has no calibration. Run `{command}`.")
    return read_rule(file, name, entries[name])


def read_rule(file: Path, name: str, entry: Mapping[str, Any]) -> Rule:
    """The rule in an entry.

    Raises:
        UsageError: a value is missing, or of another kind.
    """
    try:
        better = {"higher": True, "lower": False}[entry["better"]]
        numbers = [float(entry[key]) for key in ("threshold", "clear_pass", "clear_fail")]
        rule = Rule(numbers[0], better, numbers[1], numbers[2], int(entry["most_seeds"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{_place(file)}: [{name}]: cannot be used: {type(error).__name__}: {error}") from error
    if not all(map(math.isfinite, numbers)) or min(numbers[1:]) <= 0 or not 1 <= rule.most_seeds <= MOST_SEEDS:
        raise UsageError(
            f"{_place(file)}: [{name}]: expected finite numbers, margins above 0 and 1 to {MOST_SEEDS} seeds"
        )
    return rule


def _place(file: Path) -> str:
    return f"graders/{file.parent.name}/{file.name}"
