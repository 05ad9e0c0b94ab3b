"""What a submission costs: stock `nbgrader autograde` and `tensorgrade grade`, in one run on the same notebooks.

    .venv/bin/python benchmarks/autograde.py --repetitions 5 --write benchmarks/autograde.md

`counting` needs no time of its own: what is left is the price of the platform. `attention` is the
assignment of this repository. For stock nbgrader the grade cells hold assertions in the spirit of
the hidden checks. The repetitions are interleaved, so that a busy machine is busy for all of them.

CPU seconds are user and system time of every process that a command started, also of those whose
parent ended first: the command runs below a process that adopts them (ref: PR_SET_CHILD_SUBREAPER,
prctl(2)) and waits for all.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat

from tensorgrade.notebooks import grade_id_of, read_notebook, student_version

ROOT = Path(__file__).parents[1]
COMMANDS = Path(sys.executable).parent
PR_SET_CHILD_SUBREAPER = 36
STOCK_CONFIG = 'c = get_config()\nc.CourseDirectory.course_id = "stock"\n'
OUR_CONFIG = (
    "from tensorgrade.gradebook import configure\n"
    'c = get_config()\nc.CourseDirectory.course_id = "ours"\nconfigure(c)\n'
)

COUNTING_CHECKS = '''
import pytest

@pytest.mark.task("double")
def test_numbers(student):
    """Twice a number."""
    assert student.double(2) == 4

@pytest.mark.task("double")
def test_lists(student):
    """A list twice."""
    assert student.double([1]) == [1, 1]
'''

# By assignment and grade cell, what stock nbgrader runs in the place of the hidden checks.
ASSERTIONS = {
    "counting": {"double": "assert double(2) == 4\nassert double([1]) == [1, 1]"},
    "attention": {
        "attend": """
torch.manual_seed(0)
for shape in [(2, 5, 8), (3, 1, 4), (7, 8), (2, 3, 6, 16)]:
    q, k, v = (torch.randn(shape) for _ in range(3))
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    assert torch.allclose(attend(q, k, v)[0], expected, atol=1e-5)
    assert torch.allclose(attend(q, k, v)[1].sum(-1), torch.ones(shape[:-1]), atol=1e-5)
""",
        "masks": """
for L in [1, 2, 5, 9]:
    assert torch.equal(mask_future(L), torch.ones(L, L).tril().bool())
""",
        "positions": """
for L, d in [(1, 2), (5, 8), (60, 32)]:
    assert wave_positions(L, d).shape == (L, d)
    assert wave_positions(L, d).abs().max() <= 1
""",
        "heads": """
torch.manual_seed(0)
heads, library = Heads(12, 3).eval(), nn.MultiheadAttention(12, 3, batch_first=True).eval()
parts = (heads.query, heads.key, heads.value)
library.in_proj_weight.data = torch.cat([part.weight for part in parts])
library.in_proj_bias.data = torch.cat([part.bias for part in parts])
library.out_proj.load_state_dict(heads.output.state_dict())
x, context = torch.randn(2, 5, 12), torch.randn(2, 7, 12)
assert torch.allclose(heads(x, context), library(x, context, context)[0], atol=1e-5)
""",
        "layer": """
x = torch.randn(2, 5, 12)
assert EncoderLayer(12, 3, 20, 0.1)(x).shape == x.shape
""",
        "reviews": """
torch.manual_seed(0)
drawn = draw_reviews(5000, 0.3, torch.Generator().manual_seed(1))
learning, asked = drawn.part(0, 4000), drawn.part(4000, 5000)
model = ReviewTransformer(54, 32, 4, 1, 2, 40)
optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
for _ in range(8):
    for batch in torch.randperm(4000).split(32):
        scores = model(learning.ids[batch], learning.lengths[batch])
        loss = nn.functional.cross_entropy(scores, learning.labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
model.eval()
assert (model(asked.ids, asked.lengths).argmax(1) == asked.labels).float().mean() >= 0.76
""",
    },
}


@dataclass(frozen=True)
class Contestant:
    """One way to grade."""

    name: str
    stock: bool
    command: tuple[str, ...]


@dataclass(frozen=True)
class Cost:
    """What one run took, in seconds."""

    wall: float
    cpu: float


def contestants(workers: Iterable[int]) -> tuple[Contestant, ...]:
    """Stock nbgrader, and tensorgrade with each number of workers."""
    stock = Contestant("nbgrader autograde", True, ("nbgrader", "autograde"))
    ours = (
        Contestant(f"tensorgrade grade --workers {n}", False, ("tensorgrade", "grade", "--workers", str(n)))
        for n in workers
    )
    return (stock, *ours)


def main() -> int:
    """Measure, print the table, write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--batches", type=int, nargs=2, default=(1, 20), metavar=("FEW", "MANY"))
    parser.add_argument("--workers", type=int, nargs="+", default=(1, 2))
    parser.add_argument("--assignments", nargs="+", default=("counting", "attention"), choices=sorted(ASSERTIONS))
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.measure:
        return measure_below(options.measure)
    ways = contestants(options.workers)
    with tempfile.TemporaryDirectory(prefix="tensorgrade-benchmark-") as folder:
        costs = run_all(Path(folder), options, ways)
    text = "\n".join(table(costs, options, ways))
    print(text)  # noqa: T201
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 0


Costs = dict[tuple[str, str, int], list[Cost]]


def run_all(folder: Path, options: argparse.Namespace, ways: tuple[Contestant, ...]) -> Costs:
    """Every repetition of everything, interleaved; by assignment, contestant and batch."""
    costs: Costs = {}
    prepared = {}
    for name in options.assignments:
        for stock in (True, False):
            prepared[name, stock] = prepare(folder / f"{name}-{'stock' if stock else 'ours'}", name, stock=stock)
    for repetition in range(options.repetitions):
        for name in options.assignments:
            for batch in options.batches:
                for way in ways:
                    course = folder / "course"
                    shutil.copytree(prepared[name, way.stock], course)
                    hand_in(course, name, batch)
                    cost = measure(course, (*way.command, name))
                    require_points(course, name, batch)
                    shutil.rmtree(course)
                    costs.setdefault((name, way.name, batch), []).append(cost)
                    said = f"{repetition + 1}/{options.repetitions} {name} {way.name}: {batch} in {cost.wall:.1f} s"
                    print(said, file=sys.stderr)  # noqa: T201
    return costs


def prepare(course: Path, name: str, *, stock: bool) -> Path:
    """A course whose gradebook knows the assignment, without submissions."""
    source = course / "source" / name
    source.mkdir(parents=True)
    (course / "nbgrader_config.py").write_text(STOCK_CONFIG if stock else OUR_CONFIG)
    notebook = counting() if name == "counting" else read_notebook(ROOT / "source" / name / f"{name}.ipynb")
    if stock:
        for cell in notebook.cells:
            cell.source = ASSERTIONS[name].get(grade_id_of(cell) or "", cell.source)
    elif name == "counting":
        graders = course / "graders" / name
        graders.mkdir(parents=True)
        (graders / "assignment.toml").write_text('title = "Counting"\nteaches = "Doubling."\nprofile = "cpu"\n')
        (graders / "test_hidden.py").write_text(COUNTING_CHECKS)
    else:
        shutil.copytree(ROOT / "graders" / name, course / "graders" / name)
    nbformat.write(notebook, source / f"{name}.ipynb")
    program, verb = ("nbgrader", "generate_assignment") if stock else ("tensorgrade", "release")
    command = [COMMANDS / program, verb, name]
    subprocess.run(command, cwd=course, env=environment(), check=True, capture_output=True)  # noqa: S603
    return course


def counting() -> nbformat.NotebookNode:
    """A notebook that needs no time."""
    notebook = nbformat.v4.new_notebook()
    solution = "### BEGIN SOLUTION\ndef double(x):\n    return x + x\n### END SOLUTION"
    role = {"schema_version": 3, "task": False}
    answer = {**role, "grade": False, "solution": True, "locked": False, "grade_id": "double-solution"}
    graded = {**role, "grade": True, "solution": False, "locked": True, "grade_id": "double", "points": 2}
    notebook.cells = [
        nbformat.v4.new_code_cell("from tensorgrade import check", id="imports"),
        nbformat.v4.new_code_cell(solution, id="solution", metadata={"nbgrader": answer}),
        nbformat.v4.new_code_cell('check("double")', id="double", metadata={"nbgrader": graded}),
    ]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def hand_in(course: Path, name: str, batch: int) -> None:
    """Submissions with the right answers in the students' version."""
    source = read_notebook(course / "source" / name / f"{name}.ipynb")
    released = student_version(source)
    answers = {grade_id_of(cell): cell.source for cell in source.cells}
    for cell in released.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answers[grade_id_of(cell)]
    for number in range(batch):
        folder = course / "submitted" / f"student-{number:02}" / name
        folder.mkdir(parents=True)
        nbformat.write(released, folder / f"{name}.ipynb")


def environment() -> dict[str, str]:
    """The environment's commands on the path, as if it were activated."""
    return {**os.environ, "PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}", "PYTHONWARNINGS": "ignore"}


def measure(course: Path, command: tuple[str, ...]) -> Cost:
    """Run a command in a course, below a process that adopts all that it starts."""
    result = course / "cost.json"
    below = [sys.executable, __file__, "--measure", str(result), str(COMMANDS / command[0]), *command[1:]]
    subprocess.run(below, cwd=course, env=environment(), check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return Cost(**json.loads(result.read_text()))


def measure_below(arguments: list[str]) -> int:
    """Run a command, wait for everything that it started, write what it took."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    started = time.monotonic()
    log = Path(arguments[0]).with_suffix(".log")
    with log.open("w") as file:
        done = subprocess.run(arguments[1:], stdout=file, stderr=file, check=False)  # noqa: S603
    wall = time.monotonic() - started
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    Path(arguments[0]).write_text(json.dumps({"wall": wall, "cpu": used.ru_utime + used.ru_stime}))
    if done.returncode:
        sys.stderr.write(log.read_text()[-2000:])
    return done.returncode


def require_points(course: Path, name: str, batch: int) -> None:
    """Believe no figure of a run that did not give every submission its points."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        submissions = gradebook.assignment_submissions(name)
        automatic = [[g.auto_score for g in s.notebooks[0].grades if g.cell.cell_type == "code"] for s in submissions]
        possible = [[g.max_score for g in s.notebooks[0].grades if g.cell.cell_type == "code"] for s in submissions]
    if len(automatic) != batch or automatic != possible:
        sys.exit(f"{course}: expected full points for {batch} submissions, got {automatic}")


def table(costs: Costs, options: argparse.Namespace, ways: tuple[Contestant, ...]) -> list[str]:
    """Markdown: median (lowest to highest) of each cost, and how many times less than stock nbgrader's."""
    few, many = options.batches
    lines = [
        f"Seconds, median (lowest to highest) of {options.repetitions} interleaved repetitions; "
        f"Python {platform.python_version()}, {len(os.sched_getaffinity(0))} cores. "
        f"*One more* is the cost of {many} less that of {few}, divided by {many - few}.",
        "",
        f"| notebook | command | CPU, {few} | CPU, {many} | CPU, one more | times less | wall, {few} | wall, {many} | "
        "wall, one more | times less |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in options.assignments:
        base = {kind: one_more(costs, name, ways[0].name, options.batches, kind) for kind in ("cpu", "wall")}
        for way in ways:
            cells = [name, f"`{way.name}`"]
            for kind in ("cpu", "wall"):
                for batch in options.batches:
                    cells.append(spread([getattr(cost, kind) for cost in costs[name, way.name, batch]]))
                own = one_more(costs, name, way.name, options.batches, kind)
                cells += [spread(own), f"{statistics.median(base[kind]) / statistics.median(own):.1f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def one_more(costs: Costs, name: str, way: str, batches: tuple[int, int], kind: str) -> list[float]:
    """The cost of one more submission, in each repetition."""
    few, many = batches
    pairs = zip(costs[name, way, few], costs[name, way, many], strict=True)
    return [max((getattr(b, kind) - getattr(a, kind)) / (many - few), 1e-3) for a, b in pairs]


def spread(values: list[float]) -> str:
    """Median, lowest and highest."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    sys.exit(main())
