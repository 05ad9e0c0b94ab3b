"""The mistakes of any program, each an operator on the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tensorgrade.mutation.code import Change, Code
from tensorgrade.mutation.learning import Operator

_ARITHMETIC: dict[type[ast.AST], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
_COMPARISON: dict[type[ast.AST], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">=")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<=")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
_DROPPED = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.BitAnd, ast.BitOr)


def other_arithmetic(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """Another arithmetic operator."""
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        start, end, piece = code.between(node.left, node.right)
        old, new = _ARITHMETIC[type(node.op)]
        yield Change(start, end, piece.replace(old, new, 1))
    if isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
        start, end, piece = code.between(node.target, node.value)
        old, new = _ARITHMETIC[type(node.op)]
        yield Change(start, end, piece.replace(old, new, 1))
        yield Change(start, end, piece.replace(f"{old}=", "=", 1))


def operand_left_out(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """One side of an operator is forgotten."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, _DROPPED):
        yield code.replaced(node, code.atom(node.left))
        right = code.atom(node.right)
        yield code.replaced(node, f"(1 / {right})" if isinstance(node.op, ast.Div) else right)


def other_comparison(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """Another comparison."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARISON:
        start, end, piece = code.between(node.left, node.comparators[0])
        old, others = _COMPARISON[type(node.ops[0])]
        for new in others:
            yield Change(start, end, piece.replace(old, new, 1))


def other_logic(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """`and` for `or`, a `not` too many or too few, the other branch always."""
    if isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        start, end, piece = code.between(node.values[0], node.values[1])
        yield Change(start, end, piece.replace(old, new, 1))
        yield from (code.replaced(node, code.text(value)) for value in node.values)
    match node:
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand) if not isinstance(operand, ast.Constant):
            yield code.replaced(node, code.text(operand))
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield code.replaced(node.test, "False")
        if not isinstance(node, ast.While):
            yield code.replaced(node.test, "True")


def other_constant(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """A number one off, or twice as large; True for False."""
    match node:
        case ast.Constant(value=bool(value)):
            yield code.replaced(node, str(not value))
        case ast.Constant(value=int(value)):
            yield code.replaced(node, str(value + 1))
            if value:
                yield code.replaced(node, str(value - 1))
        case ast.Constant(value=float(value)) if value:
            yield code.replaced(node, repr(2 * value))


def other_bound(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """A range or a slice is one too short."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range" and node.args:
        last = node.args[0 if len(node.args) == 1 else 1]
        yield code.replaced(last, f"{code.atom(last)} - 1")
        if len(node.args) > 1:
            yield code.replaced(node.args[0], f"{code.atom(node.args[0])} + 1")
    if isinstance(node, ast.Slice):
        for bound in (node.lower, node.upper):
            if bound is not None and not isinstance(bound, ast.Constant):
                yield code.replaced(bound, f"{code.atom(bound)} + 1")


def statement_left_out(code: Code, node: ast.AST, parameters: tuple[str, ...]) -> Iterator[Change]:
    """A statement is forgotten."""
    if isinstance(node, ast.Expr | ast.AugAssign | ast.Break | ast.Continue | ast.Delete):
        yield code.replaced(node, "pass")
    if isinstance(node, ast.If) and not node.orelse:
        yield code.replaced(node, "pass")
    if isinstance(node, ast.Assign) and _changes_something(node, parameters):
        yield code.replaced(node, "pass")


def _changes_something(node: ast.Assign, parameters: tuple[str, ...]) -> bool:
    """Whether what is assigned to has a value already, as far as one line tells."""
    names = {name.id for name in ast.walk(node.value) if isinstance(name, ast.Name)}
    return any(
        isinstance(target, ast.Subscript) or (isinstance(target, ast.Name) and target.id in {*names, *parameters})
        for target in node.targets
    )


PYTHON: dict[str, Operator] = {
    "other arithmetic": other_arithmetic,
    "operand left out": operand_left_out,
    "other comparison": other_comparison,
    "other logic": other_logic,
    "other constant": other_constant,
    "other bound": other_bound,
    "statement left out": statement_left_out,
}
