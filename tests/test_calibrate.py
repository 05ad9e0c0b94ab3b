"""Checks that train: repeated until their verdict is clear, by thresholds that a calibration supports."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import torch
from bs4 import BeautifulSoup
from click.testing import CliRunner, Result

from tensorgrade.authoring import (
    Calibration,
    Plan,
    calibrate_assignment,
    calibration_page,
    find_unsupported,
    write_calibrations,
)
from tensorgrade.authoring.calibration import Group
from tensorgrade.authoring.sequential import (
    Sample,
    chance_of_error,
    chance_of_outlier,
    chance_to_pass,
    design_rule,
    most_beyond,
)
from tensorgrade.cli import commands
from tensorgrade.course import Assignment, Course, Submission
from tensorgrade.errors import GraderError, UsageError
from tensorgrade.fleet import LocalProcesses
from tensorgrade.grading.calibration import Rule
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import CheckRecord, Report, Status
from tensorgrade.notebooks import read_notebook, student_version
from tensorgrade.reports import staff_report, task_table
from tensorgrade.sandbox.template import Template
from tests.commands import run

TINY = Path(__file__).parent / "courses" / "tiny"
SECRET = "5a" * 32
CHECK = '''import pytest
import torch

from tensorgrade.checks import assert_close


@pytest.mark.task("double", weight=3)
def test_doubles_on_average(student, calibrated, metrics):
    """On average the result is twice the input."""

    def score(run):
        x = torch.randn(30, generator=run.rng)
        values = student.kept(student.double, x)
        metrics[f"first {run.number}"] = x[0].item()
        return 1 - (values - 2 * x).square().mean()

    calibrated("score", score, hint="Your score is {value} with {seeds}.")
'''
# A clear pass after one seed at 0.9, after two at 0.85; a clear fail after one at 0.7.
RULE = """[score]
better = "higher"
threshold = 0.8
clear_pass = 0.1
clear_fail = 0.1
most_seeds = 4
"""
RIGHT = "def double(x):\n    return x + x"


def noisy(score: float) -> str:
    """A solution with a given score, whatever the input."""
    return f"def double(x):\n    return x + x + {1 - score} ** 0.5"


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    """The tiny assignment with one check that measures."""
    shutil.copytree(TINY, tmp_path / "course")
    assignment = Course.at(tmp_path / "course").assignment("tiny")
    (assignment.graders / "test_hidden.py").write_text(CHECK)
    (tmp_path / "course" / ".tensorgrade").mkdir(mode=0o700)
    (tmp_path / "course" / ".tensorgrade" / "secret").write_text(f"{SECRET}\n")  # the same values on every run
    return assignment


def grade(assignment: Assignment, template: Template, solution: str, kept: dict[str, bytes] | None = None) -> Report:
    """Hand in a solution, and grade it."""
    notebook = student_version(read_notebook(assignment.source / "tiny.ipynb"))
    notebook.cells[2].source = solution
    submission = Submission(assignment, "ada")
    submission.folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, submission.folder / "tiny.ipynb")
    return Grader(assignment, template).grade(submission, kept)


def hidden(report: Report) -> CheckRecord:
    """The record of the check that measures."""
    return next(check for check in report.checks if check.hidden)


@pytest.mark.parametrize(
    ("score", "status", "seeds"),
    [
        pytest.param(0.95, Status.PASSED, 1, id="clearly right"),
        pytest.param(0.86, Status.PASSED, 2, id="right"),
        pytest.param(0.81, Status.PASSED, 4, id="right in the end"),
        pytest.param(0.79, Status.FAILED, 4, id="wrong in the end"),
        pytest.param(0.74, Status.FAILED, 2, id="wrong"),
        pytest.param(0.5, Status.FAILED, 1, id="clearly wrong"),
    ],
)
def test_measurement_stops_when_it_is_clear(
    assignment: Assignment, template: Template, score: float, status: Status, seeds: int
) -> None:
    """A check is repeated until its sum is clear, at most as often as its rule says, and both reports say how often."""
    assignment.calibration_file.write_text(RULE)
    report = grade(assignment, template, noisy(score))
    record = hidden(report)
    assert (record.status, record.seeds_used) == (status, seeds), record.rationale
    assert record.metrics["score"] == pytest.approx(score, abs=1e-4)
    said = f"measured with {seeds} seed{'s' if seeds > 1 else ''}"
    for page in (staff_report(report), task_table(report, report.tasks[0])):
        assert said in BeautifulSoup(page, "html.parser").get_text(" ", strip=True)
    assert report.as_json()["checks"][1]["seeds_used"] == seeds
    if status is Status.FAILED:
        assert record.hint == f"Your score is {score:.3g} with {said.removeprefix('measured with ')}."


def test_each_seed_is_new_and_kept(assignment: Assignment, template: Template) -> None:
    """Repetitions draw other inputs, the same on every grading, and a regrade finds each result that was kept."""
    assignment.calibration_file.write_text(RULE)
    first = grade(assignment, template, noisy(0.81))
    drawn = [hidden(first).metrics[f"first {number}"] for number in (1, 2, 3, 4)]
    assert len(set(drawn)) == 4
    again = grade(assignment, template, noisy(0.81), first.kept)
    assert hidden(again).metrics == hidden(first).metrics
    assert len(first.kept) == 4
    assert again.kept == first.kept


def test_student_side_has_a_new_seed_each_time(assignment: Assignment, template: Template) -> None:
    """What the student's code draws at random differs from repetition to repetition, and not from run to run."""
    assignment.calibration_file.write_text(RULE)
    text = CHECK.replace('metrics[f"first {run.number}"] = x[0].item()', 'metrics[f"noise {run.number}"] = values[0]')
    (assignment.graders / "test_hidden.py").write_text(text.replace("1 - (values - 2 * x).square().mean()", "0.81"))
    runs = [grade(assignment, template, "import torch\ndef double(x):\n    return torch.rand(1)") for _ in range(2)]
    found = [{name: value for name, value in hidden(run).metrics.items() if "noise" in name} for run in runs]
    assert len(set(found[0].values())) == 4
    assert found[0] == found[1]


@pytest.mark.parametrize("value", ["float('nan')", "float('inf')", "-float('inf')"])
def test_no_finite_number_fails(assignment: Assignment, template: Template, value: str) -> None:
    """NaN and infinity fail at once, whichever side is the right one."""
    assignment.calibration_file.write_text(RULE)
    record = hidden(grade(assignment, template, f"def double(x):\n    return x * {value}"))
    assert (record.status, record.seeds_used) == (Status.FAILED, 1)
    assert "no finite number" in str(record.hint)
    assert json.loads(json.dumps(record.finite_metrics()))["score"] is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "'score' has no calibration. Run `tensorgrade calibrate tiny`.", id="no entry"),
        pytest.param(RULE.replace("threshold", "bar"), "[score]: cannot be used: KeyError: 'threshold'", id="key"),
        pytest.param(RULE.replace("= 4", "= 0"), "1 to 10 seeds", id="seeds"),
        pytest.param(RULE.replace("0.8", "nan"), "expected finite numbers", id="nan"),
        pytest.param("[score", "cannot be read", id="toml"),
    ],
)
def test_missing_rule_is_the_graders_fault(assignment: Assignment, template: Template, text: str, words: str) -> None:
    """Without a rule the check is broken, staff reads the command to run, and no student loses a point."""
    assignment.calibration_file.write_text(text)
    report = grade(assignment, template, RIGHT)
    assert hidden(report).status is Status.BROKEN
    assert str(hidden(report).rationale).startswith("graders/tiny/calibration.toml: ")
    assert words in str(hidden(report).rationale)
    assert report.tasks[0].points is None


def test_budget_is_that_of_one_repetition(assignment: Assignment, template: Template) -> None:
    """Four repetitions may together take longer than a check's budget, and one alone may not."""
    assignment.calibration_file.write_text(RULE)
    check = CHECK.replace("@pytest.mark.task", "@pytest.mark.budget(cpu_seconds=1)\n@pytest.mark.task")
    (assignment.graders / "test_hidden.py").write_text(check)
    burn = (
        "import time\ndef double(x):\n    while time.process_time() < {}:\n        pass\n    return x + x + 0.19 ** 0.5"
    )
    each = burn.replace("while", "end = time.process_time() + 0.5\n    while").format("end")
    assert hidden(grade(assignment, template, each)).seeds_used == 4
    record = hidden(grade(assignment, template, burn.format("1e9")))
    assert (record.status, record.seeds_used) == (Status.FAILED, 0)
    assert "took too long" in str(record.hint)


def test_hint_with_an_unknown_word_is_the_graders_fault(assignment: Assignment, template: Template) -> None:
    """A misspelt word in braces shows with the reference solution, not with the first student who fails."""
    assignment.calibration_file.write_text(RULE)
    (assignment.graders / "test_hidden.py").write_text(CHECK.replace("{value}", "{percentage}"))
    record = hidden(grade(assignment, template, RIGHT))
    assert record.status is Status.BROKEN
    assert "percentage" in str(record.rationale)


def test_lower_can_be_better() -> None:
    """For a loss, the right side is below the threshold; NaN is on no side."""
    rule = Rule(0.5, higher_is_better=False, clear_pass=0.2, clear_fail=0.3, most_seeds=2)
    assert rule.verdict([0.3]) is True
    assert rule.verdict([0.4]) is None
    assert rule.verdict([0.8]) is False
    assert rule.verdict([0.45, 0.54]) is True
    assert rule.verdict([0.45, 0.56]) is False
    assert rule.verdict([float("nan")]) is False


# What finds the thresholds.

NOISY = '''"""A check that measures."""

import pytest
import torch


@pytest.mark.task("double", weight=3)
def test_doubles_on_average(student, calibrated):
    """On average the result is twice the input."""

    def score(run):
        x = torch.randn(30, generator=run.rng)
        noise = 0.02 * torch.randn((), generator=run.rng)
        return 0.9 + noise - (student.double(x) - 2 * x).abs().mean()

    calibrated("score", score, hint="Your score is {value} with {seeds}.")
'''
PLUS = '''"""Adds a little."""
# loses: double
# killed by: test_doubles_on_average

# %% double-solution
def double(x):
    return x + x + 0.25
'''
TIMES = '''"""A product."""

# %% double-solution
def double(x):
    return 2 * x
'''
FEW = Plan(seeds=8, alpha=0.02, beta=0.05)
OPTIONS = ("--seeds", "8", "--alpha", "0.02", "--beta", "0.05", "--workers", "1")


def write(assignment: Assignment, name: str, text: str) -> None:
    """A file in the assignment's grader."""
    path = assignment.graders / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


@pytest.fixture
def noisy_assignment(assignment: Assignment) -> Assignment:
    """The tiny assignment with a check whose value is noisy, a mutant and a variant."""
    write(assignment, "test_hidden.py", NOISY)
    write(assignment, "mutants/plus.py", PLUS)
    write(assignment, "variants/times.py", TIMES)
    return assignment


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalProcesses]:
    """One process that measures, warm for the whole file."""
    with LocalProcesses(1) as processes:
        yield processes


def invoke(assignment: Assignment, *options: str) -> Result:
    """The command, in this process."""
    arguments = ["calibrate", "tiny", "--course", str(assignment.course.root), *options]
    return CliRunner().invoke(commands, arguments, standalone_mode=False)


def normal(mean: float, spread: float, count: int = 20, seed: int = 0) -> tuple[float, ...]:
    """Normal values."""
    generator = torch.Generator().manual_seed(seed)
    return tuple((mean + spread * torch.randn(count, generator=generator, dtype=torch.float64)).tolist())


def one(value: float) -> torch.Tensor:
    """A tensor of one number."""
    return torch.tensor([value], dtype=torch.float64)


def measured(*groups: Group, alpha: float = 0.001) -> Calibration:
    """A calibration of these runs."""
    return Calibration("score", "test_it", alpha, 0.01, groups)


def test_calibration_is_found_and_honoured(noisy_assignment: Assignment, template: Template) -> None:
    """The command stores a threshold between right and wrong with its chances; the grader uses it, lint accepts it."""
    done = invoke(noisy_assignment, *OPTIONS)
    assert done.return_value == 0, done.output
    assert "chance to fail a correct solution" in done.output
    entry = noisy_assignment.calibration_file.read_text()
    threshold = float(re.findall(r"^threshold = (.*)$", entry, re.M)[0])
    assert 0.7 < threshold < 0.85
    assert re.search(r"fails_correct = \{ expected = \S+, low = \S+, high = \S+ \}", entry)
    assert hidden(grade(noisy_assignment, template, RIGHT)).status is Status.PASSED
    wrong = hidden(grade(noisy_assignment, template, "def double(x):\n    return x + x + 0.25"))
    assert wrong.status is Status.FAILED
    checked = invoke(noisy_assignment, "--check")
    assert (checked.return_value, checked.output) == (0, "tiny: the calibration supports its thresholds\n")
    write(noisy_assignment, "test_hidden.py", "")
    noisy_assignment.calibration_file.unlink()
    assert invoke(noisy_assignment, "--check").output == "tiny: no check measures a value\n"


def test_page_shows_every_run(noisy_assignment: Assignment, executor: LocalProcesses) -> None:
    """The picture has a dot for each correct run, a cross for each wrong one, a title, and a table with the numbers."""
    found = calibrate_assignment(noisy_assignment, executor, FEW)
    page = BeautifulSoup(calibration_page(noisy_assignment, found), "html.parser")
    [picture] = page.select("svg[role=img]")
    assert len(picture.select("circle")) == 16
    assert len(picture.select("path.run")) == 8
    assert picture.title is not None
    names = [row.th.text for row in page.select("tbody tr") if row.th is not None]
    assert names == ["reference solution", "times", "plus"]


def test_variants_draw_inputs_of_their_own(noisy_assignment: Assignment, executor: LocalProcesses) -> None:
    """A variant that computes what the solution computes adds runs, and does not count the same ones again."""
    [found] = calibrate_assignment(noisy_assignment, executor, FEW)
    assert len(found.right) == len(set(found.right)) == 16


def test_what_the_check_needs_counts_as_passed(noisy_assignment: Assignment, executor: LocalProcesses) -> None:
    """A mutant that fails what the check builds on is measured all the same, if it says so; nothing else runs."""
    text = NOISY.replace("def test_doubles", '@pytest.mark.needs("test_doubles_three_numbers")\ndef test_doubles')
    write(noisy_assignment, "test_hidden.py", text)
    write(noisy_assignment, "mutants/plus.py", PLUS.replace("killed", "measured"))
    [found] = calibrate_assignment(noisy_assignment, executor, FEW)
    assert [len(group.values) for group in found.groups if not group.is_right] == [8]


def test_what_does_not_fit_the_calibration_any_more_is_told(
    noisy_assignment: Assignment, executor: LocalProcesses
) -> None:
    """An edited threshold, a changed check and a changed mutant are told; a comment changes nothing."""
    write_calibrations(noisy_assignment, calibrate_assignment(noisy_assignment, executor, FEW))
    good = noisy_assignment.calibration_file.read_text()
    check = noisy_assignment.graders / "test_hidden.py"
    check.write_text(NOISY.replace("def score", "# A comment.\n    def score"))
    assert list(find_unsupported(noisy_assignment)) == []
    noisy_assignment.calibration_file.write_text(re.sub(r"threshold = .*", "threshold = 0.6", good))
    [problem] = find_unsupported(noisy_assignment)
    assert "graders/tiny/calibration.toml: [score]: threshold 0.6 is not what its values support" in problem
    noisy_assignment.calibration_file.write_text(good)
    check.write_text(NOISY.replace("30", "31"))
    assert ["has changed since it was measured" in problem for problem in find_unsupported(noisy_assignment)] == [True]
    check.write_text(NOISY)
    write(noisy_assignment, "mutants/plus.py", PLUS.replace("0.25", "0.24"))
    assert ["has changed since it was measured" in problem for problem in find_unsupported(noisy_assignment)] == [True]
    check.write_text(NOISY.replace('"score"', '"points"'))
    assert [problem.split(": ", 1)[1].split(",")[0] for problem in find_unsupported(noisy_assignment)] == [
        "test_doubles_on_average measures 'points'",
        "[score]: no check measures this. Run `tensorgrade calibrate tiny`.",
    ]


def test_overlap_is_told_and_nothing_stored(noisy_assignment: Assignment) -> None:
    """Where ten seeds do not tell right from wrong, the command says so, exits with 1, and stores no threshold."""
    write(noisy_assignment, "mutants/plus.py", PLUS.replace("0.25", "0.005"))
    done = invoke(noisy_assignment, *OPTIONS)
    assert done.return_value == 1
    assert "to mend: score: up to 10 seeds do not tell correct solutions (mean " in done.output
    assert not noisy_assignment.calibration_file.exists()


def test_interrupted_calibration_goes_on(noisy_assignment: Assignment) -> None:
    """Ctrl-C keeps the runs that have ended; the same command runs only the others."""
    folder = str(noisy_assignment.course.root)
    command = [str(Path(sys.executable).with_name("tensorgrade")), "calibrate", "tiny", "--course", folder, *OPTIONS]
    ledger = noisy_assignment.course.root / ".tensorgrade" / "calibration" / "tiny.jsonl"
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:
        while not ledger.exists() or len(ledger.read_text().splitlines()) < 3:
            assert running.poll() is None
            time.sleep(0.05)
        os.kill(running.pid, signal.SIGINT)
        _, rest = running.communicate()
    assert running.returncode == 1
    assert "interrupted" in rest
    assert not noisy_assignment.calibration_file.exists()
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    done = int(re.findall(r"^(\d+) of 24: going on", again.stderr, re.M)[0])
    assert 3 <= done < 24
    assert again.stderr.splitlines()[-1].startswith("24 of 24")
    assert len(ledger.read_text().splitlines()) == 24
    assert again.returncode == 0, again.stderr


def test_correct_solution_without_a_value_is_an_error(noisy_assignment: Assignment, executor: LocalProcesses) -> None:
    """If the reference solution cannot be measured, the run and the reason are told."""
    write(noisy_assignment, "test_hidden.py", NOISY.replace("student.double(x)", "student.triple(x)"))
    with pytest.raises(GraderError, match="reference solution, seed 1: test_doubles_on_average measured no 'score'"):
        calibrate_assignment(noisy_assignment, executor, FEW)


def test_mutant_without_a_value_is_left_out(noisy_assignment: Assignment, executor: LocalProcesses) -> None:
    """Runs of a mutant that end in NaN fail anyway; they are counted, and do not move the threshold."""
    write(noisy_assignment, "mutants/nan.py", PLUS.replace("0.25", "float('nan')"))
    [found] = calibrate_assignment(noisy_assignment, executor, FEW)
    [nan] = [group for group in found.groups if group.name == "nan"]
    assert (nan.values, nan.unmeasured) == ((), 8)
    assert found.rule is not None
    assert any(remark.startswith("nan: 8 runs gave no finite value") for remark in found.remarks())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "no check uses the fixture `calibrated`", id="none"),
        pytest.param(
            NOISY.replace('"score", score', "NAME, score"), "line 16: calibrated: expected the name", id="name"
        ),
        pytest.param(
            NOISY.replace("    calibrated(", "    print("), "expected a call such as calibrated", id="no call"
        ),
        pytest.param(NOISY + NOISY[40:].replace("def test_", "def test_2_"), "measures 'score' too", id="twice"),
    ],
)
def test_check_that_cannot_be_calibrated_is_told(
    noisy_assignment: Assignment, executor: LocalProcesses, text: str, message: str
) -> None:
    """The check, and what to write instead, are named."""
    write(noisy_assignment, "test_hidden.py", text)
    with pytest.raises((UsageError, GraderError), match=message):
        calibrate_assignment(noisy_assignment, executor, FEW)


def test_direction_is_found() -> None:
    """Where wrong submissions have the larger values, as of a loss, lower is better, with the mirrored rule."""
    right, wrong = normal(0.9, 0.03), normal(0.7, 0.03, seed=1)
    higher = measured(Group("", right, is_right=True), Group("a", wrong, is_right=False)).rule
    mirrored = [tuple(1 - value for value in values) for values in (right, wrong)]
    lower = measured(Group("", mirrored[0], is_right=True), Group("a", mirrored[1], is_right=False)).rule
    assert higher is not None
    assert lower is not None
    assert (higher.higher_is_better, lower.higher_is_better) == (True, False)
    assert lower.threshold == pytest.approx(1 - higher.threshold, abs=1e-3)
    assert lower.clear_pass == pytest.approx(higher.clear_pass, rel=1e-3)


def test_mutants_on_both_sides_are_told() -> None:
    """No threshold tells values that have wrong ones above and below."""
    groups = [Group(str(mean), normal(mean, 0.01), is_right=False) for mean in (0.5, 0.9)]
    [problem] = measured(Group("", normal(0.7, 0.01), is_right=True), *groups).problems()
    assert "there are mutants above and below it (0.5 0.49" in problem


def test_nearest_mutant_sets_the_threshold() -> None:
    """Mutants far away change nothing, and each has its own chance to pass."""
    right, near = Group("", normal(0.9, 0.03), is_right=True), Group("near", normal(0.7, 0.03, seed=1), is_right=False)
    far = Group("far", normal(0.3, 0.05, seed=2), is_right=False)
    assert measured(right, near, far).rule == measured(right, near).rule
    chances = measured(right, far, near).passes_wrong
    assert chances["far"].high < chances["near"].expected


def test_spread_is_that_towards_the_other_side() -> None:
    """Correct runs that straggle downwards, and wrong ones that straggle upwards, have the larger spread."""
    values = (0.9, 0.9, 0.9, 0.9, 0.6)
    both = math.sqrt((4 * 0.06**2 + 0.24**2) / 4)
    assert Sample(values, is_right=True).spread == pytest.approx(0.24)
    assert Sample(values, is_right=False).spread == pytest.approx(both)


def test_outlier_is_told() -> None:
    """A correct run far below all others makes the normal distribution, and so the chances, doubtful."""
    right, wrong = normal(0.9, 0.01), Group("a", normal(0.3, 0.01, seed=1), is_right=False)
    assert list(measured(Group("", right, is_right=True), wrong).remarks()) == []
    [remark] = measured(Group("", (*right, 0.8), is_right=True), wrong).remarks()
    assert remark.startswith("the correct run with score 0.8 lies farther out than normal values do")


def test_chances_agree_with_simulation() -> None:
    """The chance to pass and the number of seeds, by integration, are those of two hundred thousand simulated tests."""
    rule = Rule(0.8, higher_is_better=True, clear_pass=0.05, clear_fail=0.06, most_seeds=4)
    for mean, spread in ((0.82, 0.05), (0.75, 0.04), (0.9, 0.1)):
        passed, seeds = chance_to_pass(rule, one(mean), one(spread))
        steps = torch.randn(200_000, 4, generator=torch.Generator().manual_seed(1)) * spread + mean - 0.8
        sums = steps.cumsum(1)
        clear = (sums >= 0.05) | (sums <= -0.06)
        clear[:, 3] = True
        first = clear.double().argmax(1)  # the first True
        last = sums.gather(1, first[:, None])[:, 0]
        assert passed.item() == pytest.approx((last >= 0).double().mean().item(), abs=0.004)
        assert seeds.item() == pytest.approx((first + 1).double().mean().item(), abs=0.01)


def test_untruncated_test_has_siegmunds_chances() -> None:
    """With many seeds the chance to fail is that of Wald's test with the correction for the overshoot.

    Source: exp(-2 d (b + 0.583 s) / s^2); Siegmund, Sequential Analysis (1985), 10.2.
    """
    drift, spread, margin = 0.3, 1.0, 3.0
    rule = Rule(0.0, higher_is_better=True, clear_pass=12.0, clear_fail=margin, most_seeds=300)
    passed, _ = chance_to_pass(rule, one(drift), one(spread))
    expected = math.exp(-2 * drift * (margin + 0.583 * spread) / spread**2)
    assert 1 - passed.item() == pytest.approx(expected, rel=0.02)
    assert 1 - passed.item() < math.exp(-2 * drift * margin / spread**2)


def test_designed_rules_keep_their_chances() -> None:
    """Over many calibrations of few runs each, correct ones fail and wrong ones pass as rarely as was asked for."""
    alpha, beta, fails, passes, seeds = 0.01, 0.05, [], [], []
    for number in range(150):
        right = Sample(normal(0.9, 0.05, 15, number), is_right=True)
        wrong = Sample(normal(0.75, 0.04, 15, 1000 + number), is_right=False)
        rule = design_rule(right, wrong, alpha, beta)
        if rule is not None:
            fails.append(1 - chance_to_pass(rule, one(0.9), one(0.05))[0].item())
            passes.append(chance_to_pass(rule, one(0.75), one(0.04))[0].item())
            seeds.append(rule.most_seeds)
    assert len(fails) > 140
    assert sum(fails) / len(fails) < alpha
    assert sum(passes) / len(passes) < beta
    assert sum(seeds) / len(seeds) < 6


def test_interval_holds_the_true_chance() -> None:
    """Of the 95 % intervals of a hundred samples, about 95 hold the true chance of error (88 is three sigma below)."""
    rule = Rule(0.8, higher_is_better=True, clear_pass=0.1, clear_fail=0.1, most_seeds=2)
    true = 1 - chance_to_pass(rule, one(0.9), one(0.05))[0].item()
    found = [chance_of_error(rule, Sample(normal(0.9, 0.05, 15, seed), is_right=True)) for seed in range(100)]
    assert sum(chance.low <= true <= chance.high for chance in found) >= 88


def test_quantiles_are_those_of_the_tables() -> None:
    """The bound of a prediction, the exact bound of a share, and the size of outliers are as published."""
    eleven = Sample(tuple(range(11)), is_right=True)  # Student's t with 10 degrees of freedom: 2.2281
    assert eleven.reach(0.025, seeds=1) == pytest.approx(2.2281 * eleven.spread * math.sqrt(1 + 1 / 11), rel=1e-4)
    assert most_beyond(0, 20) == pytest.approx(1 - 0.05 ** (1 / 20), abs=1e-9)
    assert most_beyond(2, 30) == pytest.approx(0.1953, abs=1e-3)
    assert most_beyond(5, 5) == 1
    # Grubbs (1950), 5 % of samples of 10 have a largest value of more than 2.176 standard deviations.
    scores = torch.tensor(normal(0, 1, 9), dtype=torch.float64)
    low, high = 0.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        sample = torch.cat([scores, one(middle)])
        beyond = (middle - sample.mean()) / sample.std() > 2.176
        low, high = (low, middle) if beyond else (middle, high)
    assert chance_of_outlier((*scores.tolist(), high), below=False) == pytest.approx(0.05, abs=0.015)


# The page for authors.

PAGE = (Path(__file__).parents[1] / "docs" / "calibrate.md").read_text(encoding="utf-8")
FRAME = {"fit-text": "# Fit", "imports": "import torch\n\nfrom tensorgrade import check", "fit": 'check("fit")'}
PUBLIC = '''import pytest
import torch

from tensorgrade.checks import assert_shape


@pytest.mark.task("fit")
def test_shape(student):
    """There is one weight for each dimension."""
    assert_shape(student.fit(torch.ones(30, 4), torch.ones(30)), (4,))
'''


def fit_course(folder: Path) -> None:
    """The course of the page, as far as the page does not show it, and the solution."""
    marks = {"schema_version": 3, "grade": False, "solution": False, "locked": True, "task": False}
    cells = {
        **FRAME,
        "fit-solution": re.findall(r"^Cell `fit-solution`:\n\n```python\n(.*?)^```$", PAGE, re.M | re.S)[0].rstrip(),
    }
    own = {
        "fit-solution": {"solution": True, "locked": False},
        "fit": {"grade": True, "points": 10, "cell_type": "code"},
    }
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    for name in ("fit-text", "imports", "fit-solution", "fit"):
        make = nbformat.v4.new_markdown_cell if name == "fit-text" else nbformat.v4.new_code_cell
        metadata = {"nbgrader": {**marks, "grade_id": name, **own.get(name, {})}}
        notebook.cells.append(make(cells[name], id=name, metadata=metadata))
    for place in ("source/fit", "graders/fit", ".tensorgrade"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / "source" / "fit" / "fit.ipynb")
    shutil.copy(TINY / "nbgrader_config.py", folder)
    (folder / ".tensorgrade" / "secret").write_text(f"{SECRET}\n")
    (folder / "graders" / "fit" / "test_public.py").write_text(PUBLIC)
    (folder / "graders" / "fit" / "assignment.toml").write_text(
        'title = "Fit"\nteaches = ["batches"]\nprofile = "cpu"\n'
    )


def without_numbers(text: str) -> list[str]:
    """The words of an output; the values differ a little from machine to machine."""
    return re.sub(r"[\d.e-]*\d", "#", text).split()


@pytest.mark.proof
def test_page_for_authors_is_true(tmp_path: Path) -> None:
    """Whoever follows docs/calibrate.md gets its files to say what it shows."""
    fit_course(tmp_path)
    steps = re.findall(
        r"`(graders/[\w/.]+)`[^`]*?:\n\n```\w+\n(.*?)^```$|^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
    )
    assert len(steps) == 5
    for name, content, console in steps:
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        for command, expected in re.findall(r"^\$ tensorgrade (.*)\n((?:(?!\$ ).*\n)*)", console, re.M):
            done = run(tmp_path, "tensorgrade", *command.split(), environment={**os.environ, "COLUMNS": "120"})
            assert without_numbers(done.stdout) == without_numbers(expected.replace("…", str(tmp_path))), done.stdout
