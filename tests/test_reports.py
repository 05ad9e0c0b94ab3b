"""What students and staff read."""

from __future__ import annotations

import json

import pytest
from bs4 import BeautifulSoup

from tensorgrade.grading.records import CheckRecord, Provenance, Report, Status, TaskRecord
from tensorgrade.reports import staff_json, staff_report, task_table

DOUBLE = TaskRecord("double", "tiny", max_points=4.0, points=1.0)
HALVE = TaskRecord("halve", "tiny", max_points=4.0, points=None)
REPORT = Report(
    assignment="tiny",
    student="ada",
    status="graded",
    seconds=1.5,
    tasks=(DOUBLE, HALVE, TaskRecord("why", "tiny", max_points=2.0, points=None, manual=True)),
    checks=(
        CheckRecord("double", "test_one", "One becomes two.", hidden=False, weight=1, status=Status.PASSED),
        CheckRecord(
            "double",
            "test_any[7x5]",
            "Any <tensor> is doubled.",
            hidden=True,
            weight=2,
            status=Status.FAILED,
            hint="Is x < 0 handled?",
            rationale="expected 1.2345, got <b>0</b>",
            seed=987654321,
            metrics={"accuracy": 0.4321, "loss": float("nan")},
        ),
        CheckRecord("double", "test_twice", "Twice is four times.", hidden=True, weight=1, status=Status.SKIPPED),
        CheckRecord(
            "halve",
            "test_half",
            "The result is half.",
            hidden=True,
            weight=1,
            status=Status.BROKEN,
            hint="a hint of a broken check",
            rationale="ZeroDivisionError",
        ),
    ),
    provenance=Provenance("ab" * 32, {"torch": "2.13.0"}, "namespaces"),
)


def rows(html: str) -> list[list[str]]:
    table = BeautifulSoup(html, "html.parser").select("tbody tr")
    return [[cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in table]


def test_task_table_shows_sentence_status_points_and_hint() -> None:
    """A student reads each check's sentence, status, points and hint."""
    assert rows(task_table(REPORT, DOUBLE)) == [
        ["✓ passed", "One becomes two.", "1 / 1"],
        ["✗ failed", "Any <tensor> is doubled. Hint: Is x < 0 handled?", "0 / 2"],
        [
            "→ skipped",
            "Twice is four times. Hint: This builds on another task. Mend that one first, then this check can run.",
            "0 / 1",
        ],
    ]


def test_task_table_of_a_broken_check() -> None:
    """A broken check is not the student's fault, and says so."""
    html = task_table(REPORT, HALVE)
    sentence = "The result is half. This check is being looked at by the course staff; it costs you nothing."
    assert rows(html) == [["! not graded", sentence, "– / 4"]]
    assert "not graded yet, the course staff decides (4 points possible)" in html


@pytest.mark.parametrize(
    "secret",
    [
        "1.2345",
        "expected",
        "987654321",
        "0.4321",
        "test_any",
        "ZeroDivisionError",
        "a hint of a broken",
        "<tensor>",
    ],
)
def test_task_table_tells_no_secret(secret: str) -> None:
    """No rationale, seed, metric or name of a check is shown, and no text becomes markup."""
    assert secret not in task_table(REPORT, DOUBLE) + task_table(REPORT, HALVE)


def test_task_table_can_be_read_aloud() -> None:
    """The table has a caption and scopes, and a symbol is never the only sign of a status."""
    table = BeautifulSoup(task_table(REPORT, DOUBLE), "html.parser")
    assert table.caption is not None
    assert table.caption.get_text() == "double: 1 of 4 points"
    assert [th["scope"] for th in table.find_all("th")] == ["col"] * 3 + ["row"] * 3
    assert all(span["aria-hidden"] == "true" for span in table.find_all("span"))


def test_task_table_runs_and_loads_nothing() -> None:
    """The table holds no script, no class of the page, and no address."""
    table = BeautifulSoup(task_table(REPORT, DOUBLE), "html.parser")
    assert {name for tag in table.find_all(True) for name in tag.attrs} <= {"style", "scope", "aria-hidden", "class"}
    assert "url(" not in str(table)


def test_task_table_without_checks() -> None:
    """A task that no check belongs to has an empty table."""
    assert rows(task_table(REPORT, TaskRecord("other", "tiny", 1.0, 0.0))) == []


def test_staff_report_tells_everything() -> None:
    """Staff read the rationale, the seed, the metrics and the provenance; nothing becomes markup."""
    html = staff_report(REPORT)
    for part in ("expected 1.2345, got &lt;b&gt;0", "987654321", "0.4321", "ab" * 32, "2.13.0", "namespaces"):
        assert part in html
    assert "test_any[7x5]" in html
    assert "waits for staff: – of 4" in html


def test_staff_report_is_self_contained() -> None:
    """The page asks for nothing from elsewhere, and its policy lets it run nothing."""
    page = BeautifulSoup(staff_report(REPORT), "html.parser")
    assert not page.find_all(["script", "link", "img", "iframe"])
    assert "default-src 'none'" in str(page.meta.find_next("meta", attrs={"http-equiv": True}))


def test_staff_report_on_an_unreadable_submission() -> None:
    """A submission that could not be graded has its reason in the report."""
    html = staff_report(Report("tiny", "ada", "unreadable", error="tiny.ipynb: not JSON"))
    assert "unreadable:</strong> tiny.ipynb: not JSON" in html


def test_staff_json_is_strict_json() -> None:
    """The JSON report holds what staff may read, and no value that JSON does not know."""
    report = json.loads(json.dumps(staff_json(REPORT), allow_nan=False))
    check = report["checks"][1]
    assert (report["assignment"], report["student"], report["points"]) == ("tiny", "ada", 1.0)
    assert (check["seed"], check["rationale"]) == (987654321, "expected 1.2345, got <b>0</b>")
    assert check["metrics"] == {"accuracy": 0.4321, "loss": None}
    assert report["provenance"]["versions"] == {"torch": "2.13.0"}
