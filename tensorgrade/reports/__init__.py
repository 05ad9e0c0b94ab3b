"""Writes what a student, a TA or an instructor may read."""

from tensorgrade.reports.staff import staff_json, staff_report
from tensorgrade.reports.student import task_table

__all__ = ["staff_json", "staff_report", "task_table"]
