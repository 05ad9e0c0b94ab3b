"""Finds in a release what a student would trip over: words that give something away, links that lead nowhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from nbformat.notebooknode import NotebookNode

from tensorgrade.course import Assignment
from tensorgrade.notebooks import read_notebook

# nbgrader's marks of what is taken out of a release; a misspelt one leaves it in.
_MARKS = re.compile(r"\b(SOLUTIONS?|HIDDEN TESTS?|MARK SCHEME|STARTERS?)\b")
_CODE_AND_MATHS = re.compile(r"```.*?```|~~~.*?~~~|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|<!--.*?-->", re.DOTALL)
_LINKS = re.compile(
    r"\[[^\]]*\]\(\s*<?([^)\s>]+)[^)]*\)|<(?:img|a|source|video)\b[^>]*?\b(?:src|href)\s*=\s*[\"']?([^\"'\s>]+)", re.I
)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//|#", re.I)
_TEXT = {".ipynb", ".py", ".md", ".txt", ".toml", ".csv", ".json"}


def find_traps(assignment: Assignment, release: Path) -> Iterator[str]:
    """What is wrong with the files of a release, one sentence each."""
    hidden = _hidden_names(assignment)
    for path in sorted(path for path in release.rglob("*") if path.is_file()):
        name = path.relative_to(release).as_posix()
        if path.suffix == ".ipynb":
            for place, cell in _cells(read_notebook(path)):
                yield from _revealing(f"{name}, {place}", cell.source, hidden)
                yield from _broken_links(f"{name}, {place}", cell, release)
        elif path.suffix in _TEXT:
            yield from _revealing(name, path.read_text(encoding="utf-8", errors="replace"), hidden)
        if path.name.startswith("test_hidden") or "mutants" in path.relative_to(release).parts[:-1]:
            yield f"{name}: belongs to the grader and must not be released. Move it out of source/{assignment.name}."


def _hidden_names(assignment: Assignment) -> set[str]:
    """The names of the checks that students must not know."""
    names: dict[bool, set[str]] = {True: {"test_hidden"}, False: set()}
    for path in assignment.grader_files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
        names[path.name.startswith("test_hidden")].update(name for name in functions if name.startswith("test_"))
    return names[True] - names[False]


def _cells(notebook: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    for number, cell in enumerate(notebook.cells, start=1):
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        yield (f"cell {name!r}" if name else f"cell {number}"), cell


def _revealing(place: str, text: str, hidden: set[str]) -> Iterator[str]:
    for word in sorted({match[0] for match in _MARKS.finditer(text)}):
        yield f"{place}: the word {word!r} is in the release. Is one of nbgrader's marks misspelt?"
    for word in sorted(hidden & set(re.findall(r"\w+", text))):
        yield f"{place}: names the hidden check {word!r}. Students must not know it."


def _broken_links(place: str, cell: NotebookNode, release: Path) -> Iterator[str]:
    if cell.cell_type != "markdown":
        return
    for markdown, html in _LINKS.findall(_CODE_AND_MATHS.sub(" ", cell.source)):
        target = markdown or html
        if target.startswith("attachment:"):
            if target.removeprefix("attachment:") not in cell.get("attachments", {}):
                yield f"{place}: the picture {target!r} is not in the cell. Put it in again."
        elif not _ELSEWHERE.match(target):
            file = (release / unquote(target.split("#")[0].split("?")[0])).resolve()
            if not file.is_relative_to(release.resolve()) or not file.exists():
                yield f"{place}: {target!r} is not in the release. Put the file beside the notebook in source/."
