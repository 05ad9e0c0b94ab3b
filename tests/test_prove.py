"""The room `authoring`: what shows that a grader can be trusted, and what shows that it cannot."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner

from tensorgrade.authoring import Kind, Proof, proof_page, prove_assignment
from tensorgrade.cli import commands
from tensorgrade.course import Assignment, Course
from tensorgrade.errors import GraderError, UsageError
from tensorgrade.fleet import LocalProcesses

TINY = Path(__file__).parent / "courses" / "tiny"
QUADRUPLE = """
def quadruple(x):
    ### BEGIN SOLUTION
    return double(double(x))
    ### END SOLUTION
"""
CHECKS = """

@pytest.mark.task("quadruple")
def test_quadruples(student, rng):
    \"\"\"Every element of the result is four times the element of the input.\"\"\"
    x = torch.randn(3, 5, generator=rng)
    assert_close(student.quadruple(x), 4 * x)
    assert_close(student.gradients(student.quadruple, (x,))[0], torch.full_like(x, 4))
"""
LONG = """

@pytest.mark.task("double")
@pytest.mark.budget(cpu_seconds=30)
def test_negative(student):
    \"\"\"Negative numbers are doubled too.\"\"\"
    assert_close(student.double(torch.tensor([-3.0])), torch.tensor([-6.0]))
"""
BLIND = """
import pytest
import torch


@pytest.mark.task("quadruple")
def test_keeps_the_shape(student):
    \"\"\"The result has the shape of the input.\"\"\"
    assert student.quadruple(torch.ones(3, 5)).shape == (3, 5)
"""
PLUS_ONE = '''"""Adds one instead."""
# loses: double
# killed by: test_doubles_any_tensor

# %% double-solution
def double(x):
    return x + 1
'''
TWICE = '''"""Doubles once only."""
# loses: quadruple
# killed by: test_quadruples

# %% quadruple-solution
def quadruple(x):
    return double(x)
'''
LUCKY = "05" * 32  # a secret with which the first input of test_doubles_any_tensor is negative
SUM = '''"""Adds the input to itself."""

# %% double-solution
def double(x):
    return x + x
'''


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalProcesses]:
    """One process that tries things, warm for the whole file."""
    with LocalProcesses(1) as processes:
        yield processes


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    """The tiny assignment with a second task that builds on the first, mutants and a variant."""
    shutil.copytree(TINY, tmp_path / "course")
    assignment = Course.at(tmp_path / "course").assignment("tiny")
    path = assignment.source / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id")]:
        if "double" in cell.metadata.nbgrader.grade_id and cell.cell_type == "code":
            copy = nbformat.from_dict(cell)
            copy.id += "-2"
            copy.metadata.nbgrader.grade_id = cell.metadata.nbgrader.grade_id.replace("double", "quadruple")
            copy.source = QUADRUPLE if "BEGIN SOLUTION" in cell.source else cell.source.replace("double", "quadruple")
            notebook.cells.append(copy)
    nbformat.write(notebook, path)
    with (assignment.graders / "test_hidden.py").open("a") as checks:
        checks.write(CHECKS)
    write(assignment, "mutants/plus_one.py", PLUS_ONE)
    write(assignment, "mutants/twice.py", TWICE)
    write(assignment, "variants/sum.py", SUM)
    return assignment


def write(assignment: Assignment, name: str, text: str) -> None:
    """A file in the assignment's grader."""
    path = assignment.graders / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def prove(assignment: Assignment, executor: LocalProcesses, *kinds: Kind, seeds: int = 1) -> Proof:
    """A proof of some parts."""
    return prove_assignment(assignment, executor, kinds=frozenset(kinds), seeds=seeds)


def test_interrupted_proof_goes_on(assignment: Assignment, executor: LocalProcesses) -> None:
    """What was tried before Ctrl-C is not tried again; a finished proof leaves no record behind."""
    ledger = assignment.course.root / ".tensorgrade" / "proof" / "tiny.jsonl"

    def interrupt(done: int, total: int, name: str) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prove_assignment(assignment, executor, tell=interrupt)
    lines = ledger.read_text().splitlines()
    assert len(lines) == 5
    ledger.write_text("\n".join(lines) + "\n[half a line")
    known = {json.loads(line)[0] for line in lines}
    appended: list[int] = []
    again = prove_assignment(
        assignment, executor, tell=lambda done, total, name: appended.append(len(ledger.read_text().splitlines()))
    )
    assert appended[:2] == [6, 6]  # both tries of the reference were on record
    assert list(again.problems()) == []
    assert len(known) == 5
    assert not ledger.exists()


def test_changed_check_is_tried_again(assignment: Assignment, executor: LocalProcesses) -> None:
    """A record of other checks says nothing: after a change of the grader all is tried anew."""

    def interrupt(done: int, total: int, name: str) -> None:
        if done == total:
            raise KeyboardInterrupt  # after the last trial, with everything on record

    with pytest.raises(KeyboardInterrupt):
        prove_assignment(assignment, executor, kinds=frozenset({Kind.MUTANT}), tell=interrupt)
    path = assignment.graders / "test_hidden.py"
    path.write_text(path.read_text().replace("4 * x", "5 * x"))
    proof = prove(assignment, executor, Kind.MUTANT)
    assert any("fails test_quadruples" in problem for problem in proof.problems())


def test_mutant_may_name_a_check_without_its_case(assignment: Assignment, executor: LocalProcesses) -> None:
    """A mutant is found where one case of the named check fails, and not where none does."""
    path = assignment.graders / "test_hidden.py"
    cases = '@pytest.mark.parametrize("sign", [1, 0])\n'
    text = path.read_text().replace('@pytest.mark.task("quadruple")\n', cases + '@pytest.mark.task("quadruple")\n')
    text = text.replace("def test_quadruples(student, rng):", "def test_quadruples(student, rng, sign):")
    path.write_text(text.replace("student.quadruple(x), 4 * x", "sign * student.quadruple(x), sign * 4 * x"))
    assert list(prove(assignment, executor, Kind.MUTANT).problems()) == []
    write(assignment, "mutants/sign.py", TWICE.replace("test_quadruples", "test_doubles_any_tensor"))
    [problem] = prove(assignment, executor, Kind.MUTANT).problems()
    assert "passes test_doubles_any_tensor, which should find it" in problem


def test_good_grader_is_proven(assignment: Assignment, executor: LocalProcesses) -> None:
    """The solution and the variant pass with each secret, the release fails, every mutant is found where it is."""
    told: list[tuple[int, int]] = []
    proof = prove_assignment(assignment, executor, seeds=2, tell=lambda done, total, name: told.append((done, total)))
    assert list(proof.problems()) == []
    assert [len(proof.of(kind)) for kind in (Kind.REFERENCE, Kind.EMPTY, Kind.VARIANT, Kind.MUTANT)] == [2, 1, 2, 2]
    assert len(proof.of(Kind.GENERATED)) > 5
    assert proof.kill_rate == 1
    assert told[-1][0] == told[-1][1] == len(told)


def test_demos_are_left_out_of_trials(assignment: Assignment, executor: LocalProcesses) -> None:
    """A cell with the tag `demo` is not run in a trial; without the tag it is."""
    path = assignment.source / "tiny.ipynb"
    notebook = nbformat.read(path, as_version=4)
    roles = {"grade": False, "solution": False, "locked": True, "task": False}
    known = {**roles, "grade_id": "double-demo", "schema_version": 3}
    notebook.cells.append(nbformat.v4.new_code_cell("del double", metadata={"nbgrader": known, "tags": ["demo"]}))
    nbformat.write(notebook, path)
    assert list(prove(assignment, executor, Kind.REFERENCE).problems()) == []
    notebook.cells[-1].metadata.tags = ["show"]
    nbformat.write(notebook, path)
    assert any("fails test_doubles" in problem for problem in prove(assignment, executor, Kind.REFERENCE).problems())


def test_other_secrets_draw_other_inputs(assignment: Assignment, executor: LocalProcesses) -> None:
    """A check that fails the solution for some inputs only is found with other secrets, and the seed is told."""
    checks = assignment.graders / "test_hidden.py"
    checks.write_text(checks.read_text().replace("x + x)", "x + x + (x[0, 0] > 0) * RARE)", 1) + "\nRARE = 1.0\n")
    (assignment.course.root / ".tensorgrade").mkdir(mode=0o700)
    (assignment.course.root / ".tensorgrade" / "secret").write_text(LUCKY + "\n")
    problems = list(prove(assignment, executor, Kind.REFERENCE, seeds=8).problems())
    assert problems
    assert all(re.match(r"reference solution \(seed [1-7]\): fails test_doubles_any_tensor", one) for one in problems)


def test_reference_that_fails_ends_the_proof(assignment: Assignment, executor: LocalProcesses) -> None:
    """Where the solution fails a check nothing else is tried, and the reason is told."""
    checks = assignment.graders / "test_hidden.py"
    checks.write_text(checks.read_text().replace("x + x", "x + x + 1"))
    proof = prove(assignment, executor, *Kind)
    assert [attempt.kind for attempt in proof.attempts] == [Kind.REFERENCE]
    [problem] = proof.problems()
    assert problem.startswith("reference solution: fails test_doubles_any_tensor: 35 of 35 values")


def test_points_for_nothing_are_found(assignment: Assignment, executor: LocalProcesses) -> None:
    """A check that the untouched release passes is told."""
    with (assignment.graders / "test_hidden.py").open("a") as checks:
        checks.write('\n\n@pytest.mark.task("double")\ndef test_generous(student):\n    """There is a result."""\n')
    problems = list(prove(assignment, executor, Kind.EMPTY).problems())
    assert problems == ["untouched release: passes test_generous: points for nothing"]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        pytest.param(
            "mutants/right.py",
            SUM.replace("\n\n#", "\n# loses: double\n\n#", 1),
            "keeps all points of double",
            id="kept",
        ),
        pytest.param(
            "mutants/wrong.py",
            PLUS_ONE.replace("any_tensor", "three_numbers").replace("x + 1", "x * 2 if x.dim() == 1 else x"),
            "passes test_doubles_three_numbers, which should find it",
            id="claim",
        ),
        pytest.param(
            "mutants/elsewhere.py",
            TWICE.replace("double(x)", "double(double(x))", 1) + "\ndouble = abs\n",
            "loses points of double, which does not build on quadruple",
            id="elsewhere",
        ),
        pytest.param(
            "variants/wrong.py", SUM.replace("x + x", "x + 1"), "fails test_doubles_three_numbers (and ", id="variant"
        ),
    ],
)
def test_what_the_grader_gets_wrong_is_told(
    assignment: Assignment, executor: LocalProcesses, name: str, text: str, problem: str
) -> None:
    """A mutant that keeps its points, misses its check or loses elsewhere, and a variant that loses."""
    write(assignment, name, text)
    kind = Kind.MUTANT if "mutants" in name else Kind.VARIANT
    found = [one for one in prove(assignment, executor, kind).problems() if Path(name).stem in one]
    assert len(found) == 1
    assert problem in found[0]


def test_dependent_task_may_lose_too(assignment: Assignment, executor: LocalProcesses) -> None:
    """A mistake in `double` costs the points of `quadruple`, which calls it; that is no fault of the grader."""
    proof = prove(assignment, executor, Kind.MUTANT)
    [attempt] = [attempt for attempt in proof.of(Kind.MUTANT) if attempt.name == "plus_one"]
    assert "test_quadruples" in attempt.failed
    assert attempt.problem == ""


def test_long_checks_run_where_they_are_asked_for(assignment: Assignment, executor: LocalProcesses) -> None:
    """A check with a budget of its own runs for the mutants that name it, and for those nothing else finds."""
    with (assignment.graders / "test_hidden.py").open("a") as checks:
        checks.write(LONG)
    only_negative = PLUS_ONE.replace("any_tensor", "any_tensor, test_negative").replace("x + 1", "x.abs() * 2")
    write(assignment, "mutants/abs.py", only_negative)
    proof = prove(assignment, executor, Kind.MUTANT, Kind.REFERENCE)
    failed = {attempt.name: attempt.failed for attempt in proof.of(Kind.MUTANT)}
    assert "test_negative" in failed["abs"]
    assert "test_negative" not in failed["plus_one"]


def test_check_and_task_without_a_mutant_are_told(assignment: Assignment, executor: LocalProcesses) -> None:
    """A hidden check that no mutant fails proves nothing, nor does a task that no mutant loses."""
    (assignment.graders / "mutants" / "twice.py").unlink()
    write(assignment, "mutants/plus_one.py", PLUS_ONE.replace("return x + 1", "return torch.stack([x, x])"))
    checks = assignment.graders / "test_hidden.py"
    checks.write_text(checks.read_text().replace("student.quadruple(x)", "4 * x"))
    problems = list(prove(assignment, executor, Kind.MUTANT).problems())
    assert any("no mutant loses points of the task 'quadruple'" in problem for problem in problems)
    assert any("no mutant fails the check test_quadruples: what does it find?" in problem for problem in problems)


def test_survivors_are_shown_and_judged(assignment: Assignment, executor: LocalProcesses) -> None:
    """A generated mutant that no check finds is on the page with its diff, until a judgement is written."""
    (assignment.graders / "test_hidden.py").write_text(BLIND)
    proof = prove(assignment, executor, Kind.GENERATED)
    assert proof.survivors
    assert proof.kill_rate < 1
    page = BeautifulSoup(proof_page(proof), "html.parser")
    one = next(attempt for attempt in proof.survivors if attempt.summary == "zero returned")
    assert "+     return double(double(x)) * 0" in page.text
    assert one.name in page.text
    write(assignment, "equivalent.toml", f'{one.name} = "only the shape counts"\n0000000000 = "gone"\n')
    judged = prove(assignment, executor, Kind.GENERATED)
    assert one.name not in [attempt.name for attempt in judged.survivors]
    assert len(judged.survivors) == len(proof.survivors) - 1
    assert any("0000000000: no such mutant is generated any more" in problem for problem in judged.problems())
    assert "only the shape counts" in BeautifulSoup(proof_page(judged), "html.parser").text


def test_judgement_against_the_evidence_is_refused(assignment: Assignment, executor: LocalProcesses) -> None:
    """A mutant that a check finds cannot be judged to be correct."""
    found = prove(assignment, executor, Kind.GENERATED).of(Kind.GENERATED)[0]
    write(assignment, "equivalent.toml", f'{found.name} = "looks right to me"')
    [problem] = prove(assignment, executor, Kind.GENERATED).problems()
    assert f"{found.name}: is found by {found.failed[0]}" in problem


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param(
            "mutants/a.py", '"""Wrong."""\n# %% double-solution\nx', "expected a line such as `# loses:", id="loses"
        ),
        pytest.param("mutants/a.py", '"""Wrong."""\n# loses: double\n', "changes no cell", id="no cell"),
        pytest.param("variants/a.py", '"""Right."""\n# %% nowhere\nx', "no cell has the grade_id 'nowhere'", id="cell"),
        pytest.param("equivalent.toml", "a = 1", "expected a reason", id="reason"),
        pytest.param("equivalent.toml", "a = ", "cannot be read", id="toml"),
    ],
)
def test_material_that_is_not_as_it_should_be_is_refused(
    assignment: Assignment, executor: LocalProcesses, name: str, text: str, message: str
) -> None:
    """A file of the proof that cannot be used is named, with what to do."""
    write(assignment, name, text)
    with pytest.raises(UsageError, match=message) as caught:
        prove(assignment, executor, *Kind)
    assert Path(name).name in str(caught.value)


def test_only_some_mutants(assignment: Assignment, executor: LocalProcesses) -> None:
    """Those named are tried, and nothing is said of what the others would show; an unknown name is refused."""
    proof = prove_assignment(
        assignment, executor, kinds=frozenset({Kind.MUTANT}), seeds=1, mutants=frozenset({"plus_one"})
    )
    assert [attempt.name for attempt in proof.of(Kind.MUTANT)] == ["plus_one"]
    assert list(proof.problems()) == []
    with pytest.raises(UsageError, match="no mutant 'plus_two'"):
        prove_assignment(assignment, executor, mutants=frozenset({"plus_two"}))


def test_grader_that_cannot_be_loaded_is_told(assignment: Assignment, executor: LocalProcesses) -> None:
    """A syntax error in a check is an error of the grader."""
    with (assignment.graders / "test_hidden.py").open("a") as checks:
        checks.write("def test_(:\n")
    with pytest.raises(GraderError, match=r"test_hidden\.py"):
        prove(assignment, executor, *Kind)


def test_classic_assignment_has_no_checks_to_prove(assignment: Assignment, executor: LocalProcesses) -> None:
    """Tests in the notebook are nbgrader's; there is nothing to prove."""
    shutil.rmtree(assignment.graders)
    with pytest.raises(UsageError, match="no checks to prove"):
        prove(assignment, executor, *Kind)


def test_command_shows_the_table_and_writes_the_page(assignment: Assignment) -> None:
    """`tensorgrade prove` prints what was tried, ends with the page, and says with its exit code if it is proven."""
    folder = str(assignment.course.root)
    done = CliRunner().invoke(commands, ["prove", "tiny", "--course", folder, "--seeds", "1"], standalone_mode=False)
    assert done.return_value == 0, done.output
    assert "generated mutant" in done.output
    page = assignment.course.root / "build" / "proof" / "tiny.html"
    assert str(page) in done.output
    assert "Nothing was found." in page.read_text()
    write(assignment, "variants/wrong.py", SUM.replace("x + x", "x + 1"))
    done = CliRunner().invoke(
        commands, ["prove", "tiny", "--course", folder, "--part", "variants", "--seeds", "1"], standalone_mode=False
    )
    assert done.return_value == 1, done.output
    assert "to mend: correct variant wrong: fails test_doubles_three_numbers (and " in done.output
