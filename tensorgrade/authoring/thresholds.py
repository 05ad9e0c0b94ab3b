"""Finds thresholds that were written by hand, where nobody can say how often they fail a correct solution."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tensorgrade.course import Assignment

UNDECIDING = (0, 1)  # the ends of a share: nothing was tuned there


def find_hand_thresholds(assignment: Assignment) -> Iterator[str]:
    """The comparisons of a metric or an accuracy with a number in the text of a check, one sentence each.

    Only what is plain to see is found: ``metrics["..."]`` or a name with ``accuracy`` in it, on one side of an
    inequality, and a number, or a constant of the same file, on the other.
    """
    for path in assignment.grader_files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = set(_constants(tree))
        checks = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
        for check in checks:
            for node in ast.walk(check):
                if isinstance(node, ast.Compare) and _is_hand_threshold(node, constants):
                    where = f"{_place(path)}, line {node.lineno}: {check.name}"
                    yield (
                        f"{where}: `{ast.unparse(node)}` compares with a number that nobody has calibrated. "
                        "Measure with the fixture `calibrated`; see docs/calibrate.md"
                    )


def _is_hand_threshold(node: ast.Compare, constants: set[str]) -> bool:
    if len(node.ops) != 1 or not isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
        return False
    sides = (node.left, node.comparators[0])
    return any(_is_metric(one) and _is_number(other, constants) for one, other in (sides, sides[::-1]))


def _is_metric(node: ast.expr) -> bool:
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Name) and node.value.id == "metrics"
    return isinstance(node, ast.Name) and "accuracy" in node.id and not node.id.isupper()


def _is_number(node: ast.expr, constants: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in constants
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value not in UNDECIDING


def _constants(tree: ast.Module) -> Iterator[str]:
    """The names of a file that are numbers."""
    for node in tree.body:
        value = node.value if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and isinstance(value, ast.Constant) and isinstance(value.value, int | float):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _place(path: Path) -> str:
    return f"graders/{path.parent.name}/{path.name}"
