"""Writes what a student, a TA or an instructor may read."""

from tensorgrade.reports.staff import read_staff_json, staff_json, staff_report
from tensorgrade.reports.student import PracticeRecord, has_passed, practice_html, practice_text, task_table

__all__ = [
    "PracticeRecord",
    "has_passed",
    "practice_html",
    "practice_text",
    "read_staff_json",
    "staff_json",
    "staff_report",
    "task_table",
]
