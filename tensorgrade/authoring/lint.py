"""Finds what does not fit together in an assignment, without running a solution: notebooks, checks, mutants, limits."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

from tensorgrade.authoring.answers import Answer, find_answers
from tensorgrade.authoring.calibration_file import find_unsupported
from tensorgrade.authoring.rehearsal import rehearse_release
from tensorgrade.authoring.thresholds import find_hand_thresholds
from tensorgrade.authoring.traps import find_traps
from tensorgrade.course import Assignment
from tensorgrade.errors import GradebookError, GraderError, NotebookError, UsageError
from tensorgrade.grading.plugin import GraderPlugin
from tensorgrade.grading.run import plan_checks
from tensorgrade.mutation import plain
from tensorgrade.notebooks import grade_cells, grade_id_of, is_autograded, read_edits, read_notebook
from tensorgrade.notebooks.steps import BEGIN_STARTER

SCHEMA_VERSION = 3  # of nbgrader's cell metadata. Source: nbgrader 0.9.6, nbgrader/nbgraderformat
LEAST_TELLING = 10  # characters of a solution line that says something
MOST_CPU_SECONDS = 120  # of all checks with a budget together: five hundred submissions are still graded overnight
BOUNDS = {
    "check_cpu_seconds": (0.5, 60),
    "cell_cpu_seconds": (1, 600),
    "notebook_seconds": (5, 3600),
    "memory_mib": (256, 32768),
    "message_mib": (1, 1024),
}
PROFILES = ("cpu", "gpu")


def lint_assignment(assignment: Assignment) -> tuple[str, ...]:
    """What is to mend, one sentence each, with the file and the cell or check that it is about."""
    try:
        found = [*_settings(assignment), *_notebooks(assignment)]
        if not found and not assignment.is_classic:
            answers = find_answers(assignment)
            found += [*_checks(assignment, answers), *_wrong_and_right(assignment)]
        if not found and not assignment.is_classic:
            found += [*find_unsupported(assignment), *find_hand_thresholds(assignment)]
            found += _release(assignment, answers)
    except (UsageError, GraderError, GradebookError, NotebookError) as error:
        return (str(error),)
    except SyntaxError as error:
        return (f"source/{assignment.name}: a solution is no Python: {error}",)
    return tuple(dict.fromkeys(found))


def _settings(assignment: Assignment) -> Iterator[str]:
    where = f"graders/{assignment.name}/assignment.toml"
    if assignment.is_classic:
        return
    settings = assignment.settings
    for key in ("title", "teaches", "profile"):
        if not settings.get(key):
            yield f"{where}: {key}: is missing"
    if settings.get("profile", "cpu") not in PROFILES:
        yield f"{where}: profile: expected one of {', '.join(PROFILES)}, got {settings['profile']!r}"
    for name, (least, most) in BOUNDS.items():
        value = getattr(assignment.limits, name)
        if not least <= value <= most:
            yield f"{where}: limits.{name}: {value:g} is not sane; expected {least:g} to {most:g}"


def _notebooks(assignment: Assignment) -> Iterator[str]:
    if not assignment.source_notebooks:
        yield f"source/{assignment.name}: expected a notebook, found none"
    names = Counter[str]()
    for path in assignment.source_notebooks:
        read_notebook(path)  # what cannot be read is told here
        notebook = nbformat.from_dict(json.loads(path.read_text(encoding="utf-8")))
        names.update(name for cell in notebook.cells if (name := grade_id_of(cell)))
        where = f"source/{assignment.name}/{path.name}"
        yield from (f"{where}: {problem}" for problem in _format(notebook))
        for number, cell in enumerate(notebook.cells, start=1):
            name = grade_id_of(cell)
            place = f"{where}, cell {repr(name) if name else number}"
            yield from (f"{place}: {problem}" for problem in _cell(cell, classic=assignment.is_classic))
    yield from (f"source/{assignment.name}: two cells are called {name!r}" for name, n in names.items() if n > 1)


def _format(content: NotebookNode) -> Iterator[str]:
    if (content.nbformat, content.nbformat_minor) < (4, 5):
        yield (
            f"has format {content.nbformat}.{content.nbformat_minor}, in which cells have no stable ids. "
            "Save it with a current Jupyter."
        )
        return
    ids = Counter(cell.get("id") for cell in content.cells)
    yield from (f"two cells have the id {name!r}. Save it with a current Jupyter." for name, n in ids.items() if n > 1)


def _cell(cell: NotebookNode, *, classic: bool) -> Iterator[str]:
    if cell.get("outputs") or cell.get("execution_count") is not None:
        yield "holds outputs. Clear them before it is committed."
    marks = cell.metadata.get("nbgrader")
    if not marks:
        return
    if marks.get("schema_version") != SCHEMA_VERSION:
        version = marks.get("schema_version")
        yield f"expected nbgrader's schema_version {SCHEMA_VERSION}, got {version!r}. Run `nbgrader update`."
    if marks.get("grade") and not marks.get("points"):
        yield "is a grade cell that gives no points"
    if is_autograded(cell) and not classic:
        called = re.findall(r"""^check\(\s*["']([^"']+)["']\s*\)""", "".join(cell.source), re.MULTILINE)
        if grade_id_of(cell) not in called:
            yield f'expected `check("{grade_id_of(cell)}")`, so that students see the public checks of this task'


def _checks(assignment: Assignment, answers: tuple[Answer, ...]) -> Iterator[str]:
    """What is wrong with the checks: how they are written, what they give away, what they cost."""
    cells = [cell for path in assignment.source_notebooks for cell in grade_cells(read_notebook(path), path.stem)]
    tasks = [cell.name for cell in cells if not cell.manual]
    plugin = GraderPlugin(dict.fromkeys(tasks), b"", assignment.name)  # type: ignore[arg-type]  # nobody is asked
    plan_checks(assignment.grader_files, plugin)
    where = f"graders/{assignment.name}"
    yield from (f"{where}/{problem}" for problem in plugin.problems)
    shown = {record.task for record in plugin.planned.values() if not record.hidden}
    for task in tasks if plugin.planned else ():
        if task not in shown:
            yield f"{where}/test_public.py: no public check belongs to {task!r}: students get no hint while they work"
    told = _telling_lines(answers)
    for record in plugin.planned.values():
        for line in told:
            if line in record.sentence:
                yield f"{where}: {record.name}: its docstring tells students a line of the solution: {line!r}"
    seconds = sum(budget for budget in plugin.budgets.values() if budget)
    if seconds > MOST_CPU_SECONDS:
        yield f"{where}: the checks' budgets add up to {seconds:g} CPU seconds; expected at most {MOST_CPU_SECONDS}"


def _telling_lines(answers: tuple[Answer, ...]) -> list[str]:
    """The lines of the solutions that give something away: not those that students are given to start from."""
    lines: dict[bool, set[str]] = {True: set(), False: set()}
    for answer in answers:
        for number, line in enumerate(plain(answer.source).split("\n"), start=1):
            is_secret = number in answer.secret
            if is_secret or BEGIN_STARTER in answer.source:
                lines[is_secret].add(line.strip() if is_secret else line.strip().removeprefix("# "))
    return sorted(
        line
        for line in lines[True] - lines[False]
        if len(line) >= LEAST_TELLING and not line.startswith(("#", '"""', "def ", "return self"))
    )


def _wrong_and_right(assignment: Assignment) -> Iterator[str]:
    """What is wrong with the files of mutants and variants."""
    cells = {grade_id_of(cell) for path in assignment.source_notebooks for cell in read_notebook(path).cells}
    text = "".join(path.read_text(encoding="utf-8") for path in assignment.grader_files)
    checks = set(re.findall(r"^def (test_\w+)", text, re.MULTILINE))
    for folder in ("mutants", "variants"):
        for path in sorted((assignment.graders / folder).glob("*.py")):
            edits = read_edits(path)
            where = f"graders/{assignment.name}/{folder}/{path.name}"
            for name in edits.cells:
                if name not in cells:
                    yield f"{where}: no cell has the grade_id {name!r}"
            for header, known in (("loses", cells), ("killed by", checks), ("measured by", checks)):
                for name in edits.headers.get(header, "").split(","):
                    if name.strip() and name.strip().partition("[")[0] not in known:
                        yield f"{where}: {header}: there is no {name.strip()!r}"


def _release(assignment: Assignment, answers: tuple[Answer, ...]) -> Iterator[str]:
    """What is wrong with what students would get today, and whether it is what lies in ``release/``."""
    told = set(_telling_lines(answers))
    with tempfile.TemporaryDirectory() as folder:
        made = rehearse_release(assignment, Path(folder))
        yield from (f"release/{assignment.name}/{trap}" for trap in find_traps(assignment, made))
        for path in sorted(made.glob("*.ipynb")):
            for cell in read_notebook(path).cells:
                for line in sorted(told & {line.strip() for line in cell.source.split("\n")}):
                    place = f"release/{assignment.name}/{path.name}, cell {grade_id_of(cell)!r}"
                    yield f"{place}: holds a line of the solution: {line!r}"
        if assignment.release.is_dir() and _files(made) != _files(assignment.release):
            command = f"tensorgrade release {assignment.name}"
            yield f"release/{assignment.name}: is not what the source gives today. Run `{command}`."


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
