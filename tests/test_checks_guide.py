"""The reference of checks is true: each example passes the right solution, and says its hint to the wrong one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tensorgrade import checks
from tensorgrade.errors import CheckFailure
from tensorgrade.student import NotebookSession, Student

pytestmark = pytest.mark.usefixtures("one_thread")

GUIDE = (Path(__file__).parents[1] / "docs" / "checks.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n")[0]: part for part in GUIDE.split("\n### ")[1:]}


def blocks(text: str) -> list[str]:
    """The Python blocks of a part of the guide."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)


def run(section: str, *cells: str) -> None:
    """Run the check of a section on a notebook with these cells."""
    check, _ = blocks(SECTIONS[section])
    names: dict[str, Any] = {"In": list(cells)}
    for cell in cells:
        exec(cell, names)
    session = NotebookSession(names)
    session.begin_check(7)
    grader: dict[str, Any] = {"torch": torch, **{name: getattr(checks, name) for name in checks.__all__}}
    exec(check, grader)
    (function,) = (value for name, value in grader.items() if name.startswith("test_"))
    fixtures = {"student": Student(session, 7), "rng": torch.Generator().manual_seed(5), "metrics": {}}
    code = function.__code__
    function(*(fixtures[name] for name in code.co_varnames[: code.co_argcount]))


SOLUTION = blocks(GUIDE)[0]


@pytest.mark.parametrize("section", SECTIONS)
def test_examples_pass_the_solution(section: str) -> None:
    """The example check passes the right solution at the top of the guide."""
    run(section, SOLUTION)


@pytest.mark.parametrize("section", SECTIONS)
def test_examples_say_their_hint(section: str) -> None:
    """The example check fails the wrong solution with the hint that the guide shows."""
    _, wrong = blocks(SECTIONS[section])
    shown = " ".join(line.removeprefix("> ") for line in SECTIONS[section].splitlines() if line.startswith("> "))
    with pytest.raises(CheckFailure) as caught:
        run(section, SOLUTION, wrong)
    begin, more, end = shown.partition("…")  # left out: a diagnosis of the values
    assert str(caught.value.hint).startswith(begin.strip())
    assert str(caught.value.hint).endswith(end)
    assert more or caught.value.hint == shown


def test_every_word_is_in_the_guide() -> None:
    """Each public name of the room stands in the guide, and each section is one of them."""
    assert set(SECTIONS) <= set(checks.__all__)
    words = set(re.findall(r"\w+", GUIDE))
    assert {name for name in checks.__all__ if name not in words} == {"Side"}
