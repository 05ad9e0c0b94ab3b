"""Grades many submissions.

* `bundle` makes bytes of an assignment and of a submission, and folders of the bytes.
* `job` grades one submission where the bytes arrive; `bench` is what it keeps warm there.
* `executor` is a `concurrent.futures.Executor` of local processes; `nursery` is what they are forked from.
* `lock` keeps two graders off one course.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

from tensorgrade.course import Assignment, Course, Submission
from tensorgrade.errors import GraderError, SandboxError
from tensorgrade.fleet.bench import LateTemplate, warm_template
from tensorgrade.fleet.bundle import Bundle, pack_assignment, pack_submission
from tensorgrade.fleet.executor import LocalProcesses, ProcessLost
from tensorgrade.fleet.job import Job, run_job, run_reference, warm_up
from tensorgrade.fleet.lock import course_lock
from tensorgrade.grading.grader import Grader
from tensorgrade.grading.records import CheckRecord, Report
from tensorgrade.grading.store import read_kept, write_kept
from tensorgrade.limits import MIB
from tensorgrade.sandbox.levels import STRICT, Level

__all__ = [
    "LateTemplate",
    "LocalProcesses",
    "ProcessLost",
    "course_lock",
    "grade_everywhere",
    "grade_now",
    "grade_submissions",
    "reference_verdicts",
]

AHEAD = 2  # jobs at an executor for each of its processes: one runs, the next is there already
AHEAD_BYTES = 256 * MIB
JOB_BYTES = 192 * MIB  # a submission's data files may take half of limits.disk_mib, its notebooks 20 MiB each
TRIES = 2


def grade_submissions(
    grader: Grader,
    submissions: Iterable[Submission],
    kept: Callable[[Submission], Report | None],
    *,
    afresh: bool = False,
) -> Iterator[Report]:
    """Grade one submission after the other; each report is there before the next one starts.

    Args:
        grader: grades them.
        submissions: in the order of the reports.
        kept: the report of an earlier run, if there is one; it is used if nothing has changed since.
        afresh: whether also what a check keeps, such as trained weights, is computed again.
    """
    for submission in submissions:
        report = kept(submission)
        if report is not None and report.key == grader.key(submission):
            yield replace(report, cached=True)
        else:
            yield _grade_and_keep(grader, submission, afresh=afresh)


def _grade_and_keep(grader: Grader, submission: Submission, *, afresh: bool = False) -> Report:
    report = grader.grade(submission, {} if afresh else read_kept(submission))
    write_kept(submission, report.kept)
    return report


@dataclass
class _Flight:
    """One submission on its way, with its bytes for as long as it may have to be sent again."""

    submission: Submission
    files: dict[str, bytes]
    kept: dict[str, bytes]
    tries: int = 1

    @property
    def size(self) -> int:
        return sum(map(len, [*self.files.values(), *self.kept.values()]))


def grade_everywhere(
    executor: Executor, processes: int, grader: Grader, submissions: Iterable[Submission], *, afresh: bool = False
) -> Iterator[Report]:
    """Grade submissions on an executor; the reports come as they are ready.

    A few submissions are read ahead, never all. What cannot be sent (a link, a pipe, a file that
    cannot be read, too many bytes) is refused or graded here, as without an executor.

    Args:
        executor: runs `run_job`; it needs no file of this machine.
        processes: how many jobs it runs at a time.
        grader: knows how the reference solution did.
        submissions: those to grade.
        afresh: as in `grade_submissions`.

    Raises:
        GraderError: an executor could not run the grader.
        SandboxError: several submissions in a row could not be graded, so it is not their fault.
    """
    dispatch = _Dispatch(executor, processes, grader)
    waiting = deque(submissions)
    while waiting or dispatch.flying:
        while waiting and dispatch.has_room():
            submission = waiting.popleft()
            files = pack_submission(submission.folder, JOB_BYTES)
            if files is None:
                yield _grade_and_keep(grader, submission, afresh=afresh)
            else:
                dispatch.send(_Flight(submission, files, {} if afresh else read_kept(submission)))
        yield from dispatch.landed()


def reference_verdicts(
    executor: Executor, processes: int, assignment: Assignment, level: Level = STRICT
) -> tuple[CheckRecord, ...]:
    """Grade the reference solution on an executor, once for all; the other processes get ready meanwhile.

    Raises:
        GraderError: notebooks and checks do not fit together, or a check cannot be loaded.
        PlatformError: no process could do it.
    """
    bundle = pack_assignment(assignment, None)
    job = Job(bundle.sha256, bundle, "", {}, read_kept(assignment), level)
    done = executor.submit(run_reference, job)
    for _ in range(processes - 1):
        executor.submit(warm_up)
    try:
        verdicts, kept = done.result()
    except ProcessLost:
        verdicts, kept = executor.submit(run_reference, job).result()
    write_kept(assignment, kept)
    return verdicts


class _Dispatch:
    """What is on its way, and what to do with what comes back."""

    def __init__(self, executor: Executor, processes: int, grader: Grader) -> None:
        self.flying: dict[Future[Report | None], _Flight] = {}
        self._executor = executor
        self._processes = processes
        self._bundle: Bundle = pack_assignment(grader.assignment, grader.reference)
        self._name = grader.assignment.name
        self._level = grader.level
        self._sent = 0
        self._lost_in_a_row = 0

    def has_room(self) -> bool:
        """Whether one more submission may be read."""
        ahead_bytes = sum(flight.size for flight in self.flying.values())
        return len(self.flying) < AHEAD * self._processes and ahead_bytes < AHEAD_BYTES

    def send(self, flight: _Flight, *, with_bundle: bool = False) -> None:
        """Start one job. Only the first of each process carry the assignment; others ask for it if need be."""
        with_bundle |= self._sent < self._processes
        bundle = self._bundle if with_bundle else None
        job = Job(self._bundle.sha256, bundle, flight.submission.student, flight.files, flight.kept, self._level)
        self._sent += 1
        self.flying[self._executor.submit(run_job, job)] = flight

    def landed(self) -> Iterator[Report]:
        """Wait for the next job that ends."""
        done, _ = wait(self.flying, return_when=FIRST_COMPLETED)
        for future in done:
            flight = self.flying.pop(future)
            try:
                report = future.result()
            except GraderError:
                raise
            except Exception as error:  # its process was killed, its disk was full ...: whatever an executor raises
                yield from self._once_more(flight, error)
            else:
                if report is None:
                    self.send(flight, with_bundle=True)
                else:
                    self._lost_in_a_row = 0
                    write_kept(flight.submission, report.kept)
                    yield report

    def _once_more(self, flight: _Flight, error: Exception) -> Iterator[Report]:
        if flight.tries < TRIES:
            flight.tries += 1
            self.send(flight, with_bundle=True)
            return
        self._lost_in_a_row += 1
        reason = f"submission {flight.submission.student}/{self._name}: could not be graded: {error}"
        if self._lost_in_a_row > 2 * self._processes:
            raise SandboxError(f"{reason} (like the {self._lost_in_a_row - 1} before it). Run `tensorgrade doctor`.")
        message = f"{reason} (tried {TRIES} times). Grade it again with --workers 1 to see why."
        yield Report(self._name, flight.submission.student, "unreadable", error=message)


def grade_now(root: Path, assignment: str, student: str) -> Report:
    """Grade one submission with the grader that this process keeps warm.

    `nbgrader autograde` and formgrader come here, one submission at a time. While `tensorgrade grade`
    runs on the same course this waits.
    """
    course = Course.at(root)
    found = course.assignment(assignment)
    with course_lock(course, "nbgrader autograde", wait=True):
        grader = _warm_grader(course.root, assignment, found.sha256())
        return _grade_and_keep(grader, Submission(found, student))


@functools.lru_cache(maxsize=2)
def _warm_grader(root: Path, assignment: str, sha256: str) -> Grader:
    """A grader for this content; a changed grader or notebook has another hash and is loaded afresh."""
    return Grader(Course.at(root).assignment(assignment), warm_template())
