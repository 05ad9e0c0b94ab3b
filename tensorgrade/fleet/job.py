"""Grades one submission where its bytes arrive."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from tensorgrade.errors import PlatformError
from tensorgrade.fleet.bench import Bench
from tensorgrade.fleet.bundle import Bundle
from tensorgrade.grading.records import CheckRecord, Report, Selection
from tensorgrade.sandbox.levels import STRICT, Level

_ONE_AT_A_TIME = threading.Lock()  # pytest runs once at a time in a process; an executor may have threads


@dataclass(frozen=True)
class Job:
    """One submission to grade; it can be sent to a machine that shares no file with this one.

    Attributes:
        bundle_sha256: content hash of the assignment.
        bundle: the assignment; None where the executor most likely has it.
        student: whose submission it is.
        files: by relative path, what the submission holds.
        kept: what an earlier grading of the submission, or of the reference, need not have computed again.
        level: how student code is confined.
    """

    bundle_sha256: str
    bundle: Bundle | None
    student: str
    files: Mapping[str, bytes]
    kept: Mapping[str, bytes]
    level: Level = STRICT


def run_job(job: Job) -> Report | None:
    """Grade one submission.

    Returns:
        The report; None if this process does not have the assignment: send it again, with the bundle.
    """
    with _ONE_AT_A_TIME:
        bench = _bench_for(job)
        return None if bench is None else bench.grade(job.student, job.files, job.kept)


def run_trial(job: Job, selection: Selection) -> tuple[CheckRecord, ...]:
    """The verdicts of some checks on files that try the grader, by a job that has its bundle."""
    with _ONE_AT_A_TIME:
        bench = _bench_for(job)
        if bench is None:
            raise PlatformError("expected the assignment, got no bundle")
        return bench.try_out(job.files, selection)


def _bench_for(job: Job) -> Bench | None:
    """This process's bench for a job; None if it does not have the assignment."""
    benches = _benches()
    if job.bundle_sha256 not in benches:
        if job.bundle is None:
            return None
        close_benches()
        benches[job.bundle_sha256] = Bench(job.bundle, level=job.level)
    return benches[job.bundle_sha256]


def run_reference(job: Job) -> tuple[tuple[CheckRecord, ...], dict[str, bytes]]:
    """The verdicts on the reference solution, and what it kept, by a job whose bundle has none yet."""
    with _ONE_AT_A_TIME:
        if job.bundle is None:
            raise PlatformError("expected the assignment, got no bundle")
        bench = Bench(job.bundle, job.kept, job.level)
        try:
            return bench.reference, bench.kept
        finally:
            bench.close()


def warm_up() -> None:
    """Be there: a process that has this call to run has started, and its template starts."""


def close_benches() -> None:
    """Remove what this process has unpacked."""
    while _benches():
        _benches().popitem()[1].close()


def _benches() -> dict[str, Bench]:
    """The bench of this process, by content hash; one at a time."""
    return _benches_of(os.getpid())


@functools.cache
def _benches_of(process: int) -> dict[str, Bench]:  # a fork must not remove its parent's
    return {}
