"""Source text with its syntax tree, and changes to pieces of it that leave the rest as it was written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

_MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)
_SIMPLE = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.Constant, ast.Tuple, ast.List)
# What no mutant is made of: texts for readers, and what a type checker reads.
_UNTOUCHED = (ast.Raise, ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Change:
    """New text for the bytes from start to end."""

    start: int
    end: int
    text: str


class Code:
    """A cell's source, in Python and IPython's line magics.

    Args:
        source: the text.
        lines: numbers, from 1, of the lines that may be changed.

    Raises:
        SyntaxError: it cannot be parsed.
    """

    def __init__(self, source: str, lines: frozenset[int]) -> None:
        self._bytes = source.encode()
        self._lines = lines
        self._tree = ast.parse(plain(source))
        self._starts = [0]
        for line in self._bytes.split(b"\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)

    def nodes(self) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
        """Every node that may be changed, with the parameters of the function around it."""
        yield from self._below(self._tree, ())

    def _below(self, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
        if isinstance(node, _UNTOUCHED) or _is_text(node):
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            arguments = node.args
            parameters = tuple(a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs))
        if getattr(node, "lineno", 0) in self._lines:
            yield node, parameters
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "returns"):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from self._below(child, parameters)

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where the node's text starts and ends, in bytes."""
        first, last = self._starts[node.lineno - 1], self._starts[node.end_lineno - 1]  # type: ignore[attr-defined]
        return first + node.col_offset, last + node.end_col_offset  # type: ignore[attr-defined]

    def text(self, node: ast.AST) -> str:
        """The node's text."""
        start, end = self.span(node)
        return self._bytes[start:end].decode()

    def atom(self, node: ast.AST) -> str:
        """The node's text, in parentheses where another operator could tear it apart."""
        return self.text(node) if isinstance(node, _SIMPLE) else f"({self.text(node)})"

    def between(self, left: ast.AST, right: ast.AST) -> tuple[int, int, str]:
        """The piece between two nodes: an operator, perhaps with parentheses of its operands."""
        start, end = self.span(left)[1], self.span(right)[0]
        return start, end, self._bytes[start:end].decode()

    def replaced(self, node: ast.AST, text: str) -> Change:
        """Another text for a node."""
        return Change(*self.span(node), text)

    def wrapped(self, node: ast.AST, before: str, after: str) -> Change:
        """More text around a node."""
        return self.replaced(node, f"{before}{self.text(node)}{after}")

    def renamed(self, node: ast.Name | ast.Attribute, name: str) -> Change:
        """Another name at the end of a dotted name."""
        _, end = self.span(node)
        length = len((node.attr if isinstance(node, ast.Attribute) else node.id).encode())
        return Change(end - length, end, name)

    def applied(self, change: Change) -> str:
        """The source with a change."""
        return (self._bytes[: change.start] + change.text.encode() + self._bytes[change.end :]).decode()

    def line_of(self, change: Change) -> int:
        """The number, from 1, of the line that a change starts in."""
        return self._bytes[: change.start].count(b"\n") + 1


def plain(source: str) -> str:
    """The source in Python; a line magic becomes `pass`, so that every other piece stays where it is."""
    return _MAGIC.sub(r"\1pass", source)


def _is_text(node: ast.AST) -> bool:
    """Whether it is a docstring, or another string that stands alone."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
