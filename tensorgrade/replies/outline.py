"""Reads sources without running them: what each function is made of, and which names it calls.

Only read a stranger's source in a worker: a parser is C code that deep nesting can crash.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def read_outline(cells: Iterable[str]) -> dict[str, dict[str, Any]]:
    """By name, each function and class that the cells define at their top level; the last one counts.

    Args:
        cells: sources as in a notebook, IPython's own syntax included; one that cannot be parsed is left out.

    Returns:
        ``source``: the definition's text. ``calls``: dotted names of what it calls or passes on, also
        through the cells' other definitions; imports and aliases are followed
        (``F.softmax`` is ``torch.nn.functional.softmax``), and a method of something unknown begins
        with a dot (``.softmax``).
    """
    sources: dict[str, str] = {}
    definitions: dict[str, Definition] = {}
    bindings: dict[str, str] = {}
    for text, tree in _parsed(cells):
        bindings |= _bindings(tree.body)
        for node in tree.body:
            if isinstance(node, DEFINITIONS):
                definitions[node.name] = node
                sources[node.name] = _source_of(node, text)
    direct = {name: _names_in(node, bindings) for name, node in definitions.items()}
    return {name: {"source": sources[name], "calls": sorted(_reached(name, direct))} for name in definitions}


def _parsed(cells: Iterable[str]) -> Iterator[tuple[str, ast.Module]]:
    for cell in cells:
        try:
            text = _without_magics(cell)
            yield text, ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue


def _without_magics(cell: str) -> str:
    """The cell in plain Python; without IPython it is plain Python already."""
    try:
        from IPython.core.inputtransformer2 import TransformerManager  # not above: a plain script needs no IPython
    except ImportError:
        return cell
    plain: str = TransformerManager().transform_cell(cell)
    return plain


def _source_of(node: Definition, text: str) -> str:
    """The lines of a definition, decorators included."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


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


def _names_in(node: Definition, outer: dict[str, str]) -> set[str]:
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
