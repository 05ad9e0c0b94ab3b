"""Reads sources without running them: what each function is made of, and which names it calls.

Only read a stranger's source in a worker: a parser is C code that deep nesting can crash.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
RUNS_ITS_CELL = re.compile(r"\s*%%(time|timeit|capture|prun)\b[^\n]*")
LINE_END = re.compile(r"\r\n|\r|\n")  # Python's: `splitlines` would count a form feed too


def read_outline(cells: Iterable[str]) -> dict[str, dict[str, Any]]:
    """By name, each function and class that the cells define, also inside an `if` or a `with`; the last one counts.

    A name that is bound to what a call returns counts as well: an instance with `__call__`, a `partial`.

    Args:
        cells: sources as in a notebook, IPython's own syntax included; one that cannot be parsed is left out.

    Returns:
        ``source``: the definition's text. ``calls``: dotted names of what it calls or passes on, also
        through the cells' other definitions; imports and aliases are followed
        (``F.softmax`` is ``torch.nn.functional.softmax``), and a method of something unknown begins
        with a dot (``.softmax``).
    """
    sources: dict[str, str] = {}
    nodes: dict[str, list[ast.AST]] = {}  # the definition, then what the name was bound to after it
    bindings: dict[str, str] = {}
    for text, tree in _parsed(cells):
        statements = list(_statements(tree.body))
        bindings |= _bindings(statements)
        for node in statements:
            name, defines = _bound_by(node)
            if defines or (name and name not in nodes and _makes_an_object(node)):
                nodes[name] = [node]
                sources[name] = _source_of(node, text)
            elif name in nodes:
                nodes[name].append(node)
    direct = {name: set().union(*(_names_in(node, bindings) for node in found)) for name, found in nodes.items()}
    return {name: {"source": sources[name], "calls": sorted(_reached(name, direct))} for name in direct}


def _parsed(cells: Iterable[str]) -> Iterator[tuple[str, ast.Module]]:
    for cell in cells:
        try:
            text = _without_magics(cell)
            yield text, ast.parse(text)
        except Exception:  # noqa: S112 - a cell that does not run defines nothing; IPython raises IndexError too
            continue


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run with a cell, also those inside an `if` or a `with`."""
    open_nodes: list[ast.AST] = []
    open_nodes += list(body)[::-1]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, (*DEFINITIONS, ast.expr)):
            open_nodes += list(ast.iter_child_nodes(node))[::-1]


def _bound_by(node: ast.stmt) -> tuple[str, bool]:
    """The name that a statement binds, and whether it defines a function or class of that name."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name, True
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, isinstance(value, ast.Lambda)
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
            return name, isinstance(value, ast.Lambda)
    return "", False


def _makes_an_object(node: ast.stmt) -> bool:
    """Whether a statement binds a name to what a call returns: an instance, a `partial`."""
    return isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call)


def _without_magics(cell: str) -> str:
    """The cell in plain Python; without IPython it is plain Python already."""
    cell = RUNS_ITS_CELL.sub("", cell, count=1) if RUNS_ITS_CELL.match(cell) else cell
    try:
        from IPython.core.inputtransformer2 import TransformerManager  # not above: a plain script needs no IPython
    except ImportError:
        return cell
    plain: str = TransformerManager().transform_cell(cell)
    return plain


def _source_of(node: ast.stmt, text: str) -> str:
    """The lines of a definition, decorators included."""
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
    return textwrap.dedent("\n".join(LINE_END.split(text)[first - 1 : node.end_lineno]))


def _bindings(body: Iterable[ast.stmt]) -> dict[str, str]:
    """Names that statements bind to something with a dotted name."""
    found: dict[str, str] = {}
    for node in body:
        match node:
            case ast.Import():
                found |= {
                    alias.asname or alias.name.split(".")[0]: alias.name if alias.asname else alias.name.split(".")[0]
                    for alias in node.names
                }
            case ast.ImportFrom(module=str(module)):
                found |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in node.names}
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                dotted = _dotted(value, found)
                if dotted is not None:
                    found[name] = dotted
    return found


def _names_in(node: ast.AST, outer: dict[str, str]) -> set[str]:
    """The dotted names that a definition uses."""
    inner = [statement for statement in ast.walk(node) if isinstance(statement, ast.stmt)]
    bindings = outer | _bindings(inner)
    own = {argument.arg for argument in ast.walk(node) if isinstance(argument, ast.arg)}
    own |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}
    own -= set(bindings)
    names = set()
    parts = {id(part.value) for part in ast.walk(node) if isinstance(part, ast.Attribute)}
    for part in ast.walk(node):
        if isinstance(part, ast.Name | ast.Attribute) and id(part) not in parts:
            dotted = _dotted(part, bindings)
            if isinstance(part, ast.Attribute) and (dotted is None or dotted.split(".")[0] in own):
                names.add(f".{part.attr}")
            elif dotted is not None and dotted not in own:
                names.add(dotted)
    return names


def _dotted(node: ast.expr, bindings: dict[str, str]) -> str | None:
    """The dotted name of an expression such as ``F.softmax``, its first part looked up."""
    attributes = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return ".".join([bindings.get(node.id, node.id), *reversed(attributes)])


def _reached(name: str, direct: dict[str, set[str]]) -> set[str]:
    """All names used by a definition and by the definitions that it uses."""
    seen, open_names, names = set(), [name], set()
    while open_names:
        current = open_names.pop()
        if current in seen:
            continue
        seen.add(current)
        names |= direct[current]
        open_names += [used.split(".")[0] for used in direct[current] if used.split(".")[0] in direct]
    return names - set(direct)
