"""Gives everybody the weight of a check that is not fair to anybody, with a record of it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from datetime import date

from tensorgrade.course import Assignment, Award
from tensorgrade.errors import GraderError, UsageError

HEAD = (
    "# Checks whose points everybody gets, and why. Written by `tensorgrade award`, honoured by every grading;\n"
    "# commit it with the grader.\n"
)


def award_check(assignment: Assignment, check: str, reason: str, checks: Sequence[str]) -> Award:
    """Record that everybody gets a check's weight.

    Args:
        assignment: the one the check belongs to.
        check: its name.
        reason: for staff and students.
        checks: the names of all checks.

    Raises:
        UsageError: there is no such check, or no reason.
    """
    if check not in checks:
        close = difflib.get_close_matches(check, checks, n=1, cutoff=0.5)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise UsageError(f"{assignment.name}: no check is called {check!r}.{guess} Checks: {', '.join(checks)}.")
    plain = " ".join("".join(char if char.isprintable() else " " for char in reason).split())
    if not plain:
        raise UsageError("--reason: expected a sentence; staff and students will read it")
    award = Award(plain, date.today().isoformat())
    _write(assignment, {**assignment.awards, check: award})
    return award


def undo_award(assignment: Assignment, check: str) -> None:
    """Take the record of an award away.

    Raises:
        UsageError: the check has not been awarded.
    """
    left = dict(assignment.awards)
    if left.pop(check, None) is None:
        known = ", ".join(assignment.awards) or "none"
        raise UsageError(f"{assignment.name}: check {check!r} has not been awarded. Awarded: {known}.")
    _write(assignment, left)


def require_known_checks(assignment: Assignment, checks: Sequence[str]) -> None:
    """Refuse a record of a check that is gone or was renamed: nobody would get its points.

    Raises:
        GraderError: names the check.
    """
    gone = sorted(set(assignment.awards) - set(checks))
    if gone:
        raise GraderError(
            f"graders/{assignment.name}/{assignment.awards_file.name}: no check is called {gone[0]!r} any more. "
            f"Run `tensorgrade award {assignment.name} '{gone[0]}' --undo`, then award its successor."
        )


def _write(assignment: Assignment, awards: dict[str, Award]) -> None:
    file = assignment.awards_file
    if not awards:
        file.unlink(missing_ok=True)
        return
    tables = [
        f"\n[{_quoted(check)}]\nreason = {_quoted(award.reason)}\nsince = {_quoted(award.since)}\n"
        for check, award in awards.items()
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(HEAD + "".join(tables), encoding="utf-8")
    new.replace(file)  # whole or not at all


def _quoted(text: str) -> str:
    """A TOML string: JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)
