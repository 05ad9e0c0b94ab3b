"""Checks that train: repeated until their verdict is clear, by thresholds that a calibration supports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from tensorgrade.course import Assignment, Course, Submission
from tensorgrade.grading.calibration import Rule
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import CheckRecord, Report, Status
from tensorgrade.notebooks import read_notebook, student_version
from tensorgrade.reports import staff_report, task_table
from tensorgrade.sandbox.template import Template

TINY = Path(__file__).parent / "courses" / "tiny"
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
