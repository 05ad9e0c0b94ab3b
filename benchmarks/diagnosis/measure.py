"""How often a hint names the true cause: a table by cause, and the wrong answers it fails on.

    .venv/bin/python -m benchmarks.diagnosis.measure --part development --write benchmarks/diagnosis/development.md

The first hint is *right* if its cause is the label, *accepted* if it is one that the corpus lists as
also helpful, *misleading* if it is another. Silence is right where the label is "none".
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.diagnosis.cases import CAUSES, WrongAnswer
from tensorgrade.checks.closeness import Tolerance
from tensorgrade.checks.diagnosis import Diagnosis, Facts, diagnose

VERDICTS = ("right", "accepted", "no hint", "misleading")


@dataclass(frozen=True)
class Result:
    """What the diagnosis said of one wrong answer, and how long that took."""

    answer: WrongAnswer
    found: Diagnosis | None
    seconds: float

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        if self.found is None:
            return "right" if self.answer.cause == "none" else "no hint"
        cause = self.found.cause.value
        return "right" if cause == self.answer.cause else "accepted" if cause in self.answer.also else "misleading"


def main() -> int:
    """Measure, print the table, write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", default="development", choices=("development", "held_out"))
    parser.add_argument("--failures", action="store_true", help="list each answer whose first hint is not the label")
    parser.add_argument("--hints", action="store_true", help="print every hint")
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)  # tiny tensors: a second thread costs more than it does
    answers = getattr(importlib.import_module(f"benchmarks.diagnosis.{options.part}"), options.part)()
    results = [measure(answer) for answer in answers]
    text = "\n".join(table(options.part, results))
    print(text)  # noqa: T201
    for result in results:
        if options.hints or (options.failures and result.verdict != "right"):
            print(describe(result))  # noqa: T201
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 0


def measure(answer: WrongAnswer) -> Result:
    """Diagnose one wrong answer with the tolerances that `assert_close` would use."""
    tolerance = Tolerance.of(answer.actual.dtype, answer.expected.dtype, rtol=answer.rtol, atol=answer.atol)
    facts = Facts(**answer.facts)  # type: ignore[arg-type]
    started = time.perf_counter()
    found = diagnose(answer.actual, answer.expected, facts, rtol=tolerance.rtol, atol=tolerance.atol)
    return Result(answer, found, time.perf_counter() - started)


def table(part: str, results: Sequence[Result]) -> list[str]:
    """Markdown: wrong answers by label and verdict, with totals, rates and times."""
    lines = [f"| {part} | answers | {' | '.join(VERDICTS)} |", f"|---|{'---:|' * (len(VERDICTS) + 1)}"]
    for cause in CAUSES:
        own = [result for result in results if result.answer.cause == cause]
        lines.append(row(cause, own))
    lines.append(row("**all**", results))
    found = Counter(result.verdict for result in results)
    total = len(results)
    helped, misled = found["right"] + found["accepted"], found["misleading"]
    milliseconds = sorted(1000 * result.seconds for result in results)
    lines += [
        "",
        f"The first hint names the cause of {helped} of {total} ({helped / total:.1%}; "
        f"{found['right'] / total:.1%} by its first label) and misleads in {misled} ({misled / total:.1%}). "
        f"A diagnosis takes {statistics.median(milliseconds):.1f} ms (median), {milliseconds[-1]:.0f} ms at most.",
    ]
    return lines


def row(title: str, results: Sequence[Result]) -> str:
    """One line of the table."""
    found = Counter(result.verdict for result in results)
    return f"| {title} | {len(results)} | {' | '.join(str(found[verdict] or '') for verdict in VERDICTS)} |"


def describe(result: Result) -> str:
    """One wrong answer, its label and its hint."""
    answer, found = result.answer, result.found
    label = " or ".join((answer.cause, *sorted(answer.also)))
    said = f"{found.cause.value}: {found.hint}" if found else "no hint"
    return f"{result.verdict}: {answer.name} ({label}) {sorted(answer.facts)} -> {said}"


if __name__ == "__main__":
    sys.exit(main())
