"""Which cells of the source notebooks answer which task, and which tasks build on which."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from nbformat.notebooknode import NotebookNode

from tensorgrade.course import Assignment
from tensorgrade.grading.records import CheckRecord
from tensorgrade.mutation import plain
from tensorgrade.notebooks import Steps, grade_id_of, is_autograded, is_locked, read_notebook


@dataclass(frozen=True)
class Answer:
    """A cell that students write code in.

    Attributes:
        cell: its grade_id.
        task: the task that it answers: that of the next grade cell.
        notebook: name of the notebook.
        source: the instructor's answer.
        lines: numbers, from 1, of the lines that students write.
        secret: numbers, from 1, of the lines that students do not get.
    """

    cell: str
    task: str
    notebook: str
    source: str
    lines: frozenset[int]
    secret: frozenset[int]


def find_answers(assignment: Assignment) -> tuple[Answer, ...]:
    """The answers of an assignment, in the order of its notebooks."""
    steps = Steps(assignment.course.nbgrader_config, assignment.course.root)
    found: list[Answer] = []
    for path in assignment.source_notebooks:
        waiting: list[Answer] = []
        for cell in read_notebook(path).cells:
            name = grade_id_of(cell)
            if name and is_autograded(cell):
                found += [replace(one, task=name) for one in waiting]
                waiting = []
            elif name and cell.cell_type == "code" and _is_written_by_students(cell):
                lines, secret = steps.written_lines(cell.source), steps.solution_lines(cell.source)
                waiting.append(Answer(name, "", path.stem, cell.source, lines, secret))
    return tuple(found)


def _is_written_by_students(cell: NotebookNode) -> bool:
    return bool(cell.metadata.nbgrader.get("solution")) and not is_locked(cell)


def dependent_tasks(
    answers: Iterable[Answer], grader_files: Iterable[Path], records: Iterable[CheckRecord]
) -> dict[str, set[str]]:
    """By task, the tasks that build on it: their answers use its names, or their checks ask for them or need it.

    Args:
        answers: of the assignment.
        grader_files: the pytest files.
        records: of all checks.
    """
    answers, records = tuple(answers), tuple(records)
    defined = {task: set[str]() for task in dict.fromkeys(answer.task for answer in answers)}
    used = {task: set[str]() for task in defined}
    for answer in answers:
        tree = ast.parse(plain(answer.source))
        defined[answer.task] |= _defined(tree)
        used[answer.task] |= _names(tree)
    tasks = {record.name.partition("[")[0]: record.task for record in records}
    for name, (asked, needs) in _checks(grader_files).items():
        owners = [tasks.get(need, need) for need in needs]
        used.setdefault(tasks[name], set()).update(asked, *(defined.get(owner, set()) for owner in owners))
    direct = {
        task: {other for other in used if other != task and names & used[other]} for task, names in defined.items()
    }
    return {task: _reached(task, direct) for task in direct}


def _defined(tree: ast.Module) -> set[str]:
    """The names that a cell binds at its top level."""
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            names = (name for name in ast.walk(node) if isinstance(name, ast.Name))
            found |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
    return found


def _names(tree: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _asked(tree: ast.AST) -> set[str]:
    """The names in ``student.name``."""
    attributes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "student"}


def _checks(files: Iterable[Path]) -> dict[str, tuple[set[str], set[str]]]:
    """By function, what a check asks the student's code for, also in the helpers of its file, and what it needs."""
    checks = {}
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        calls = {name: _names(node) & set(functions) for name, node in functions.items()}
        for name in functions:
            if name.startswith("test_"):
                asked = set[str]().union(*(_asked(functions[one]) for one in {name, *_reached(name, calls)}))
                checks[name] = (asked, _needs(functions[name]))
    return checks


def _needs(function: ast.FunctionDef) -> set[str]:
    """What a check names in its marks ``needs``."""
    marks = [mark for mark in function.decorator_list if isinstance(mark, ast.Call)]
    words = [word for mark in marks if ast.unparse(mark.func).endswith(".needs") for word in mark.args]
    return {str(word.value) for word in words if isinstance(word, ast.Constant)}


def _reached(start: str, direct: dict[str, set[str]]) -> set[str]:
    """All that can be reached from one, over any number of steps."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = direct.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return seen - {start}
