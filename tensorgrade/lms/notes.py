"""Says of grades what a person should know before an LMS has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tensorgrade.lms.grades import Grade, State

MOODLE_MOST = 100  # points, unless its administrator has allowed more


def unfinished(grades: Iterable[Grade]) -> Iterator[str]:
    """Who has no grade, and why."""
    by_reason: dict[tuple[State, str], list[str]] = {}
    for grade in grades:
        if grade.state is not State.GRADED:
            by_reason.setdefault((grade.state, grade.assignment), []).append(grade.person.user)
    for (state, name), users in by_reason.items():
        yield f"{name}: {state.value}, so no points: {', '.join(users)}"


def above_moodle(grades: Iterable[Grade]) -> Iterator[str]:
    """The assignments whose points Moodle may refuse."""
    for name, most in {grade.assignment: grade.max_points for grade in grades}.items():
        if most > MOODLE_MOST:
            rule = f"Moodle refuses more than {MOODLE_MOST} unless `unlimitedgrades` is set"
            yield f"{name} gives {most:g} points: {rule}"
