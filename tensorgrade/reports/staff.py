"""What staff may read: everything, and how to repeat it."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from tensorgrade.grading.records import CheckRecord, Report
from tensorgrade.reports.looks import LOOKS, templates


def staff_report(report: Report) -> str:
    """A self-contained HTML page: points, rationales, seeds, provenance."""
    return templates().get_template("staff.html.j2").render(report=report, looks=LOOKS)


def staff_json(report: Report) -> dict[str, Any]:
    """The same as JSON values."""
    return {
        **report.as_json(),
        "assignment": report.assignment,
        "checks": [_check(check) for check in report.checks],
        "provenance": asdict(report.provenance) if report.provenance else None,
    }


def _check(check: CheckRecord) -> dict[str, Any]:
    # JSON has no NaN, and a reader other than Python's would refuse the whole file.
    metrics = {name: value if math.isfinite(value) else None for name, value in check.metrics.items()}
    return {**asdict(check), "status": check.status.value, "metrics": metrics}
