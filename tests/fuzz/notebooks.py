"""Makes hostile notebooks of real ones: changed bytes, changed JSON, and values that no notebook should hold."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LEVELS = (59, 61, 70, 500, 5000)  # the reader takes 60


def mutated(content: bytes, dice: random.Random) -> bytes:
    """A notebook with one to four changes; the same for the same dice."""
    if dice.random() < 0.25:
        return _with_other_bytes(content, dice)
    notebook = json.loads(content)
    for _ in range(dice.randint(1, 4)):
        notebook = dice.choice(CHANGES)(notebook, dice)
    text = json.dumps(notebook, ensure_ascii=dice.random() < 0.5)
    if dice.random() < 0.1:
        text = text.replace('"metadata"', '"metadata": 5, "metadata"', 1)  # the same key twice
    return (
        text.replace('"@DEEP@"', _deep(dice)).replace('"@HUGE@"', dice.choice(NUMBERS)).encode(errors="surrogatepass")
    )


NUMBERS = ("1e999", "-1e999", "NaN", "-Infinity", "9" * 5000, "1" + "0" * 400 + ".5", "-0", "1e-400")


def _deep(dice: random.Random) -> str:
    levels = dice.choice(LEVELS)
    return dice.choice(["[" * levels + "]" * levels, '{"a":' * levels + "1" + "}" * levels])


def _odd_value(dice: random.Random) -> Any:
    text = "x" * dice.choice([0, 1, 300, 300_000])
    values = (
        None,
        True,
        False,
        -1,
        0,
        2**70,
        0.5,
        "",
        "\ud800",
        "\0\x1b[2J",
        text,
        [],
        [None, 5, {}],
        {},
        {"": {"": []}},
    )
    more = ("@DEEP@", "@HUGE@", ["a\n", 5], {"text/plain": 5}, "<script>alert(1)</script>", "../../x", "🙂" * 100)
    return copy.deepcopy(dice.choice([*values, *more]))


def _with_other_bytes(content: bytes, dice: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(dice.choice([1, 1, 2, 5, 50])):
        place = dice.randrange(len(damaged) + 1)
        length = dice.choice([0, 1, 1, 2, 100])
        damaged[place : place + length] = dice.choice([b"", dice.randbytes(length), b"\xff", b'"', b"{", b"\0", b"]"])
    return bytes(damaged[: dice.choice([len(damaged), len(damaged), dice.randrange(len(damaged) + 1)])])


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys or indices."""
    found, waiting = [], [value]
    while waiting:
        one = waiting.pop()
        items = list(one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ())
        found += [(one, key) for key, _ in items]
        waiting += [item for _, item in items]
    return found


def _anywhere(notebook: Any, dice: random.Random) -> Any:
    """Replace, delete, double or rename one thing."""
    places = _places(notebook)
    if not places:
        return _odd_value(dice)
    parent, key = dice.choice(places)
    match dice.randrange(5):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, dict):
            parent[dice.choice(["", "__class__", "source", "nbgrader", "@DEEP@", "\ud800"])] = parent.pop(key)
        case 2 if isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        case 3:
            parent[key] = [parent[key]]
        case _:
            parent[key] = _odd_value(dice)
    return notebook


def _field(name: str) -> Callable[[Any, random.Random], Any]:
    """Give one field of a cell an odd value."""

    def change(notebook: Any, dice: random.Random) -> Any:
        if (cell := _a_cell(notebook, dice)) is not None:
            cell[name] = _odd_value(dice)
        return notebook

    return change


def _a_cell(notebook: Any, dice: random.Random) -> dict[str, Any] | None:
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    cells = [cell for cell in cells if isinstance(cell, dict)] if isinstance(cells, list) else []
    return dice.choice(cells) if cells else None


def _ids(notebook: Any, dice: random.Random) -> Any:
    for cell in notebook.get("cells", ()) if isinstance(notebook, dict) else ():
        if isinstance(cell, dict):
            cell["id"] = dice.choice(["same", "cell-1", "cell-2", _odd_value(dice)])
    return notebook


def _version(notebook: Any, dice: random.Random) -> Any:
    """Another version, with the cells where that version has them."""
    if not isinstance(notebook, dict):
        return notebook
    version = dice.choice([0, 1, 2, 3, 3, 4, 5, 99, -1, 2**70, "4", None, True, 3.0])
    notebook["nbformat"], notebook["nbformat_minor"] = version, dice.choice([0, 2, 4, 5, 6, 99, None, "x"])
    if version in (1, 2, 3) and dice.random() < 0.8:
        cells = notebook.pop("cells", [])
        for cell in cells if isinstance(cells, list) else ():
            if isinstance(cell, dict) and cell.get("cell_type") == "code":
                cell["input"] = cell.pop("source", "")
                cell["language"] = dice.choice(["python", _odd_value(dice)])
        notebook["worksheets"] = dice.choice([[{"cells": cells}], [{"cells": cells}] * 3, [], _odd_value(dice)])
    return notebook


def _attachments(notebook: Any, dice: random.Random) -> Any:
    if (cell := _a_cell(notebook, dice)) is not None:
        mime = dice.choice(["image/png", "image/svg+xml", "text/html", "", _odd_value(dice)])
        data = dice.choice([PIXEL, PIXEL[:-3], "<svg onload=alert(1)>", [PIXEL], _odd_value(dice)])
        cell["attachments"] = {dice.choice(["a.png", "../a", "a b", "\ud800", '"><script>']): {str(mime): data}}
        cell["cell_type"] = dice.choice(["markdown", "code", "raw"])
    return notebook


def _outputs(notebook: Any, dice: random.Random) -> Any:
    if (cell := _a_cell(notebook, dice)) is not None:
        text = dice.choice(["x", "x" * 12_000_000, _odd_value(dice)])
        kinds = ["stream", "error", "display_data", "execute_result", _odd_value(dice)]
        data = {"text/html": text, "application/javascript": "alert(1)", "text/plain": _odd_value(dice)}
        output = {"output_type": dice.choice(kinds), "name": "stdout", "text": text, "data": data, "metadata": {}}
        output["traceback"] = _odd_value(dice)
        cell["outputs"] = [output] * dice.choice([1, 3, 300] if len(str(output)) < 50_000 else [1, 2])
    return notebook


def _nbgrader(notebook: Any, dice: random.Random) -> Any:
    if (cell := _a_cell(notebook, dice)) is not None:
        names = ["double", "double-solution", "why", "new", "", "a/b", _odd_value(dice)]
        flags = {name: dice.choice([True, False, 1, "yes", None]) for name in ("grade", "solution", "locked", "task")}
        points = dice.choice([-1, 1e9, "4", _odd_value(dice)])
        cell["metadata"] = {"nbgrader": {"grade_id": dice.choice(names), "points": points, **flags}, "tags": ["x", 5]}
        cell["cell_type"] = dice.choice(["code", "markdown", "raw", "heading", _odd_value(dice)])
    return notebook


def _many_cells(notebook: Any, dice: random.Random) -> Any:
    if (cell := _a_cell(notebook, dice)) is not None:
        copies = [{**cell, "source": ""} for _ in range(dice.choice([10, 500, 3000]))]
        notebook["cells"] = [*notebook["cells"], *copies]
    return notebook


CHANGES: tuple[Callable[[Any, random.Random], Any], ...] = (
    *(_anywhere, _anywhere, _anywhere, _ids, _version, _attachments, _outputs, _nbgrader, _nbgrader, _many_cells),
    *map(_field, ("source", "metadata", "cell_type", "id", "outputs", "attachments", "execution_count")),
)
