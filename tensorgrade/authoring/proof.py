"""What a proof of a grader found, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from tensorgrade.grading.records import CheckRecord

LEAST_KILL_RATE = 0.95


class Kind(Enum):
    """What was tried on the grader."""

    REFERENCE = "reference solution"
    EMPTY = "untouched release"
    VARIANT = "correct variant"
    MUTANT = "mutant"
    GENERATED = "generated mutant"


@dataclass(frozen=True)
class Attempt:
    """One version of the assignment, and what the grader says of it.

    Attributes:
        kind: what it is.
        name: of the file, or the id of a generated mutant.
        summary: what is wrong with it, or the operator that made it; empty where nothing is.
        seed: the number of the secret that drew the inputs; 0 is the course's own.
        failed: the checks that did not pass, in the order of the grader.
        problem: what the grader did wrong, a sentence; empty where it was right.
        cell: the changed cell, for a generated mutant.
        line: the changed line in it, from 1.
        before: the line without the mistake.
        after: the line with it.
        judged: why the author holds a generated mutant for a correct solution.
    """

    kind: Kind
    name: str
    summary: str = ""
    seed: int = 0
    failed: tuple[str, ...] = ()
    problem: str = ""
    cell: str = ""
    line: int = 0
    before: str = ""
    after: str = ""
    judged: str = ""

    @property
    def survived(self) -> bool:
        """Whether it is a generated mutant that no check finds and nobody has judged."""
        return self.kind is Kind.GENERATED and not self.failed and not self.judged


@dataclass(frozen=True)
class Proof:
    """All that was tried on the grader of an assignment.

    Attributes:
        assignment: its name.
        title: its title.
        seeds: how many secrets were tried.
        checks: every check, as it ended for the reference solution.
        attempts: what was tried.
        remarks: what is wrong with the material of the proof itself, one sentence each.
    """

    assignment: str
    title: str
    seeds: int
    checks: tuple[CheckRecord, ...]
    attempts: tuple[Attempt, ...]
    remarks: tuple[str, ...] = ()

    def of(self, kind: Kind) -> tuple[Attempt, ...]:
        """The attempts of a kind."""
        return tuple(attempt for attempt in self.attempts if attempt.kind is kind)

    def count(self, kind: Kind) -> tuple[int, int]:
        """How many were tried, but for those judged to be correct, and with how many the grader was right."""
        attempts = [attempt for attempt in self.of(kind) if not attempt.judged]
        return len(attempts), sum(not attempt.problem and not attempt.survived for attempt in attempts)

    @property
    def survivors(self) -> tuple[Attempt, ...]:
        """The generated mutants that no check finds."""
        return tuple(attempt for attempt in self.attempts if attempt.survived)

    @property
    def kill_rate(self) -> float:
        """The share of generated mutants that a check finds; those judged to be correct are left out."""
        made, found = self.count(Kind.GENERATED)
        return found / made if made else 1.0

    def problems(self) -> Iterator[str]:
        """What is to mend before this grader can be trusted, one sentence each."""
        yield from self.remarks
        for attempt in self.attempts:
            if attempt.problem:
                seed = f" (seed {attempt.seed})" if attempt.seed else ""
                what = f"{attempt.kind.value} {attempt.name}".rstrip()
                yield f"{what}{seed}: {attempt.problem}"
        if self.kill_rate < LEAST_KILL_RATE:
            count = len(self.survivors)
            yield (
                f"{count} generated mutants survive: {self.kill_rate:.1%} are found, expected {LEAST_KILL_RATE:.0%}. "
                "Add checks, or judge them in graders/"
                f"{self.assignment}/equivalent.toml"
            )
