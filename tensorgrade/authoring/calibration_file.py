"""The file that holds the calibration of an assignment, and whether it still supports its thresholds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from tensorgrade.authoring.calibration import Calibration, Group
from tensorgrade.authoring.measured import Measured, find_measured
from tensorgrade.authoring.sequential import Chance
from tensorgrade.course import Assignment
from tensorgrade.errors import UsageError
from tensorgrade.grading.calibration import Rule, read_calibrations, read_rule

HEAD = (
    "# Values that were measured, and the thresholds that follow. Written by `tensorgrade calibrate`, honoured by\n"
    "# every grading; commit it with the grader. Do not edit it: `tensorgrade lint` recomputes every threshold.\n"
)
WIDTH = 110


def write_calibrations(assignment: Assignment, calibrations: Iterable[Calibration]) -> None:
    """Store calibrations in the place of what was stored, whole or not at all.

    Args:
        assignment: theirs.
        calibrations: each has a rule.
    """
    file = assignment.calibration_file
    new = file.with_suffix(".new")
    new.write_text(HEAD + "".join(map(_entry, calibrations)), encoding="utf-8")
    new.replace(file)


def stored_calibrations(assignment: Assignment) -> dict[str, Calibration]:
    """By name of the value, the runs that were stored.

    Raises:
        UsageError: the file is not as `write_calibrations` writes it.
    """
    file = assignment.calibration_file
    found = {}
    for name, entry in read_calibrations(file).items():
        try:
            found[name] = _read(name, entry)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            where = f"graders/{assignment.name}/{file.name}: [{name}]"
            raise UsageError(f"{where}: cannot be used: {type(error).__name__}: {error}") from error
    return found


def find_unsupported(assignment: Assignment) -> Iterator[str]:
    """What is wrong with the stored calibration, one sentence each.

    Raises:
        UsageError: the file cannot be read.
        GraderError: a check that measures is not written as it should be.
    """
    measured = find_measured(assignment)
    stored = stored_calibrations(assignment)
    where = f"graders/{assignment.name}/{assignment.calibration_file.name}"
    again = f"Run `tensorgrade calibrate {assignment.name}`."
    for one in measured:
        for name in one.names:
            if name not in stored:
                yield f"{where}: {one.check} measures {name!r}, which has no calibration. {again}"
            elif problem := _problem(assignment, one, stored[name]):
                yield f"{where}: [{name}]: {problem}. {again}"
    known = {name for one in measured for name in one.names}
    yield from (f"{where}: [{name}]: no check measures this. {again}" for name in stored if name not in known)


def _problem(assignment: Assignment, measured: Measured, stored: Calibration) -> str | None:
    """Why a stored calibration says nothing about the check of today."""
    entry = read_calibrations(assignment.calibration_file)[stored.name]
    rule = read_rule(assignment.calibration_file, stored.name, entry)
    if stored.check != measured.check:
        return f"was measured for {stored.check}, not for {measured.check}"
    if stored.fingerprint != measured.fingerprint:
        return "the check, its worker files, the solution or a mutant has changed since it was measured"
    if stored.rule is None:
        return f"its values support no threshold at all: {'; '.join(stored.problems())}"
    pairs = {key: (_numbers(rule)[key], value) for key, value in _numbers(stored.rule).items()}
    if differing := [key for key, (given, supported) in pairs.items() if not _is_same(given, supported)]:
        given, supported = (
            ", ".join(f"{key} {_numbers(one)[key]}" for key in differing) for one in (rule, stored.rule)
        )
        return f"{given} is not what its values support, which is {supported}"
    return None


def _is_same(given: Any, supported: Any) -> bool:
    """Whether they are equal, but for the last of four digits, which may be rounded elsewhere on another machine."""
    if isinstance(supported, float):
        return math.isclose(given, supported, rel_tol=1.1e-3)
    return bool(given == supported)


def _numbers(rule: Rule) -> dict[str, Any]:
    """The rule as the file has it."""
    return {
        "better": "higher" if rule.higher_is_better else "lower",
        "threshold": rule.threshold,
        "clear_pass": rule.clear_pass,
        "clear_fail": rule.clear_fail,
        "most_seeds": rule.most_seeds,
    }


def _entry(calibration: Calibration) -> str:
    """One value's table."""
    rule, fails, nearest = calibration.rule, calibration.fails_right, calibration.nearest
    if rule is None or fails is None or nearest is None:
        raise ValueError(f"{calibration.name}: expected a rule")
    name = json.dumps(calibration.name, ensure_ascii=False)
    lines = [f"\n[{name}]", f'check = "{calibration.check}"']
    lines += [f"{key} = {json.dumps(value)}" for key, value in _numbers(rule).items()]
    lines += [f"alpha = {calibration.alpha}", f"beta = {calibration.beta}"]
    lines += [f"fails_correct = {_chance(fails)}", f"passes_wrong = {_chance(calibration.passes_wrong[nearest.name])}"]
    lines += [f'nearest = "{nearest.name}"', f'fingerprint = "{calibration.fingerprint}"']
    lines += [f'measured_with = "{calibration.versions}"']
    for is_right, table in ((True, "correct"), (False, "wrong")):
        lines += [f"\n[{name}.{table}]"]
        lines += [_values(group) for group in calibration.groups if group.is_right is is_right]
    unmeasured = {group.name: group.unmeasured for group in calibration.groups if group.unmeasured}
    if unmeasured:
        lines += [f"\n[{name}.unmeasured]", *(f"{json.dumps(key)} = {count}" for key, count in unmeasured.items())]
    return "\n".join(lines) + "\n"


def _chance(chance: Chance) -> str:
    return f"{{ expected = {chance.expected:.2g}, low = {chance.low:.2g}, high = {chance.high:.2g} }}"


def _values(group: Group) -> str:
    """A group's values, in lines that fit into an editor."""
    lines, line = [f"{json.dumps(group.name, ensure_ascii=False)} = ["], "   "
    for value in group.values:
        word = f" {value!r},"
        if len(line) + len(word) > WIDTH:
            lines.append(line)
            line = "   "
        line += word
    return "\n".join([*lines, line, "]"])


def _read(name: str, entry: dict[str, Any]) -> Calibration:
    unmeasured = entry.get("unmeasured", {})
    groups = [
        Group(group, tuple(map(float, values)), is_right, int(unmeasured.get(group, 0)))
        for is_right, table in ((True, "correct"), (False, "wrong"))
        for group, values in entry[table].items()
    ]
    alpha, beta = float(entry["alpha"]), float(entry["beta"])
    if not all(0 < chance < 0.5 for chance in (alpha, beta)):
        raise ValueError(f"alpha and beta: expected chances, got {alpha} and {beta}")
    texts = (str(entry["fingerprint"]), str(entry.get("measured_with", "")))
    return Calibration(name, str(entry["check"]), alpha, beta, tuple(groups), *texts)
