"""Writes a proof as one HTML page."""

from __future__ import annotations

from collections import Counter

from markupsafe import Markup

from tensorgrade.authoring.proof import Attempt, Kind, Proof
from tensorgrade.grading.records import Status
from tensorgrade.reports.looks import LOOKS, templates

EXPECTED = {
    Kind.REFERENCE: "passes every check",
    Kind.EMPTY: "passes none",
    Kind.VARIANT: "passes every check",
    Kind.MUTANT: "fails the checks and loses the tasks that it names",
    Kind.GENERATED: "fails a check",
}


def proof_page(proof: Proof) -> str:
    """One page that needs no file beside it."""
    mutants = proof.of(Kind.MUTANT)
    first = Counter(name for attempt in proof.of(Kind.GENERATED) if not attempt.judged for name in attempt.failed)
    found = {check.name: [one.name for one in mutants if check.name in one.failed] for check in proof.checks}
    return (
        templates()
        .get_template("proof.html.j2")
        .render(
            proof=proof,
            problems=list(proof.problems()),
            parts=[(kind, EXPECTED[kind], *proof.count(kind)) for kind in Kind if proof.of(kind)],
            judged=[attempt for attempt in proof.of(Kind.GENERATED) if attempt.judged],
            checks=[(check, found[check.name], first[check.name]) for check in proof.checks],
            diff=_diff,
            passed=LOOKS[Status.PASSED],
            failed=LOOKS[Status.FAILED],
        )
    )


def _diff(attempt: Attempt) -> Markup:
    """The changed lines; a screen reader hears which are gone and which are new."""
    lines = [Markup("<del>- {}</del>").format(line) for line in attempt.before.split("\n")]
    lines += [Markup("<ins>+ {}</ins>").format(line) for line in attempt.after.split("\n")]
    return Markup("<pre>{}</pre>").format(Markup("\n").join(lines))
