"""Reads a TOML file of tables into dataclasses, and says of each mistake in which file and key it is."""

from __future__ import annotations

import tomllib
import types
import typing
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from tensorgrade.errors import UsageError

Row = TypeVar("Row")


def read_tables(path: Path, kind: type[Row]) -> tuple[Row, ...]:
    """The tables of a file, in its order, each as a dataclass whose first field is the table's name.

    Raises:
        UsageError: the file cannot be read, a key is unknown or missing, or a value is of another kind.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {name}: expected a table such as [{name}]")
    return tuple(_row(path, kind, name, table) for name, table in tables.items())


def _row(path: Path, kind: type[Row], name: str, table: dict[str, Any]) -> Row:
    where = f"{path}: [{name}]"
    first, *others = fields(kind)  # type: ignore[arg-type]  # a dataclass
    known = {field.name for field in others}
    if unknown := sorted(set(table) - known):
        raise UsageError(f"{where}: unknown key {unknown[0]}. Known: {', '.join(sorted(known))}")
    hints, values = typing.get_type_hints(kind), {first.name: name}
    for field in others:
        if field.name in table:
            values[field.name] = _value(f"{where}: {field.name}", hints[field.name], table[field.name])
        elif field.default is MISSING and field.default_factory is MISSING:
            raise UsageError(f"{where}: {field.name} is missing")
    try:
        return kind(**values)
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error


def _value(where: str, hint: Any, value: Any) -> Any:
    """A value of the field's type; a list of texts becomes a tuple, a whole number may stand for any."""
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise UsageError(f'{where}: expected a list of texts such as ["ada"], got {value!r}')
        return tuple(value)
    kinds = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) not in kinds:
        names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
        raise UsageError(f"{where}: expected {' or '.join(names[one] for one in kinds if one in names)}, got {value!r}")
    return value
