"""Grades many submissions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from tensorgrade.course import Course, Submission
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import Report
from tensorgrade.grading.store import read_kept, write_kept
from tensorgrade.sandbox.template import Template


def grade_submissions(
    grader: Grader, submissions: Iterable[Submission], kept: Callable[[Submission], Report | None]
) -> Iterator[Report]:
    """Grade one submission after the other; each report is there before the next one starts.

    Args:
        grader: grades them.
        submissions: in the order of the reports.
        kept: the report of an earlier run, if there is one; it is used if nothing has changed since.
    """
    for submission in submissions:
        report = kept(submission)
        if report is not None and report.key == grader.key(submission):
            yield replace(report, cached=True)
        else:
            yield _grade(grader, submission)


def grade_now(root: Path, assignment: str, student: str) -> Report:
    """Grade one submission with the grader that this process keeps warm.

    `nbgrader autograde` and formgrader come here, one submission at a time.
    """
    course = Course.at(root)
    found = course.assignment(assignment)
    grader = _warm_grader(course.root, assignment, found.sha256())
    return _grade(grader, Submission(found, student))


def _grade(grader: Grader, submission: Submission) -> Report:
    report = grader.grade(submission, read_kept(submission))
    write_kept(submission, report.kept)
    return report


@functools.lru_cache(maxsize=2)
def _warm_grader(root: Path, assignment: str, sha256: str) -> Grader:
    """A grader for this content; a changed grader or notebook has another hash and is loaded afresh."""
    return Grader(Course.at(root).assignment(assignment), _warm_template())


@functools.cache
def _warm_template() -> Template:
    return Template()
