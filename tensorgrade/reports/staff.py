"""What staff may read: everything, and how to repeat it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tensorgrade.grading.records import CheckRecord, Provenance, Report, Status, TaskRecord
from tensorgrade.reports.looks import LOOKS, templates


def staff_report(report: Report) -> str:
    """A self-contained HTML page: points, rationales, seeds, provenance."""
    from tensorgrade.sandbox.levels import NONE  # not above: `check` in a notebook loads this room, and has no sandbox

    unconfined = report.provenance is not None and report.provenance.sandbox == NONE.name
    return templates().get_template("staff.html.j2").render(report=report, looks=LOOKS, is_unconfined=unconfined)


def staff_json(report: Report) -> dict[str, Any]:
    """The same as JSON values."""
    return {
        **report.as_json(),
        "assignment": report.assignment,
        "key": report.key,
        "tasks": [asdict(task) for task in report.tasks],
        "checks": [_check(check) for check in report.checks],
        "provenance": asdict(report.provenance) if report.provenance else None,
    }


def read_staff_json(path: Path) -> Report | None:
    """The report that `staff_json` was made of, without its notebooks; None if there is none to be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Report(
            data["assignment"],
            data["student"],
            data["status"],
            seconds=float(data["seconds"]),
            tasks=tuple(TaskRecord(**task) for task in data["tasks"]),
            checks=tuple(map(_record, data["checks"])),
            provenance=Provenance(**data["provenance"]),
            key=str(data["key"]),
            fakeable=bool(data.get("fakeable", False)),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # grading again is always right


def _check(check: CheckRecord) -> dict[str, Any]:
    return {**asdict(check), "status": check.status.value, "metrics": check.finite_metrics()}


def _record(check: dict[str, Any]) -> CheckRecord:
    return CheckRecord(**{**check, "status": Status(check["status"]), "advice": tuple(check["advice"])})
