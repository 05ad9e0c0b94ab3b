"""Makes the mistakes that students make: a solution in, solutions with one mistake each out.

* `learning` are the mistakes of deep learning: a wrong axis, a mask off by one, a missing `detach`.
* `python` are those of any program: another operator, a bound off by one, a statement left out.
* `code` changes a piece of a source and leaves the rest as it was written.

Source: Jia and Harman, An analysis and survey of the development of mutation testing, IEEE TSE 37(5),
2011, for the method and the operators of any program; Humbatova et al., DeepCrime, ISSTA 2021, for
mistakes of deep learning that people made.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from tensorgrade.mutation.code import Change, Code, plain
from tensorgrade.mutation.learning import LEARNING
from tensorgrade.mutation.python import PYTHON

__all__ = ["OPERATORS", "Mutation", "mutate", "plain"]

OPERATORS = {**LEARNING, **PYTHON}
ID_DIGITS = 10


@dataclass(frozen=True)
class Mutation:
    """A source with one mistake.

    Attributes:
        operator: what was done, a key of `OPERATORS`.
        line: where, counted from 1.
        source: the whole text with the mistake.
        before: the line, or the lines, without the mistake.
        after: the same with the mistake.
        occurrence: which of several equal changes of equal lines it is, from 0.
    """

    operator: str
    line: int
    source: str
    before: str
    after: str
    occurrence: int = 0

    def id(self, cell: str) -> str:
        """A name that stays when other lines of the cell change.

        Args:
            cell: the grade_id of the cell that the source stands in.
        """
        parts = (cell, self.before.strip(), self.after.strip(), str(self.occurrence))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:ID_DIGITS]


def mutate(source: str, lines: frozenset[int]) -> tuple[Mutation, ...]:
    """Every mistake that one change of the given lines makes.

    A change that leaves the program as it is (the same syntax tree), or that makes no
    program, is left out; of changes that make the same program the first one stays.

    Args:
        source: of a cell.
        lines: the numbers, from 1, of the lines that may change.

    Raises:
        SyntaxError: the source cannot be parsed.
    """
    code = Code(source, lines)
    seen = {_program(source)}
    found: list[Mutation] = []
    for operator, change in _changes(code):
        mutated = code.applied(change)
        program = _program(mutated)
        if program is None or program in seen:
            continue
        seen.add(program)
        before, after = _changed_lines(source, mutated)
        equal = sum((before, after) == (one.before, one.after) for one in found)
        found.append(Mutation(operator, code.line_of(change), mutated, before, after, equal))
    return tuple(sorted(found, key=lambda mutation: mutation.line))


def _changes(code: Code) -> Iterator[tuple[str, Change]]:
    nodes = list(code.nodes())
    for name, operator in OPERATORS.items():
        for node, parameters in nodes:
            for change in operator(code, node, parameters):
                yield name, change


def _program(source: str) -> str | None:
    """The program that a source makes, the same for all spellings; None where it makes none."""
    try:
        compile(plain(source), "cell", "exec")
        return ast.dump(ast.parse(plain(source)))
    except (SyntaxError, ValueError):
        return None


def _changed_lines(before: str, after: str) -> tuple[str, str]:
    """What differs, in whole lines."""
    old, new = before.split("\n"), after.split("\n")
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return "\n".join(old[start : len(old) - end]), "\n".join(new[start : len(new) - end])
