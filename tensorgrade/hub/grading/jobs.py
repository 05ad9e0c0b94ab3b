"""Runs what takes long in processes of its own, one at a time for a course, in the order of asking."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tornado.web import HTTPError

MOST_WAITING = 1000
# What speaks with the exchange, and so needs the page's token. The rest, which runs students' code, has none.
EXCHANGING = ("release", "unrelease", "collect", "release_feedback")
LOG_BYTES = 64 * 1024
PROGRAMS = Path(sys.executable).parent
GRADER, NBGRADER = str(PROGRAMS / "tensorgrade"), str(PROGRAMS / "nbgrader")

COMMANDS: dict[str, tuple[str, ...]] = {
    "assign": (GRADER, "release", "{assignment}"),
    "release": (NBGRADER, "release_assignment", "{assignment}", "--force"),
    "unrelease": (NBGRADER, "list", "{assignment}", "--remove"),
    "collect": (NBGRADER, "collect", "{assignment}", "--update"),
    "autograde": (GRADER, "grade", "{assignment}"),
    "generate_feedback": (GRADER, "feedback", "{assignment}"),
    "release_feedback": (NBGRADER, "release_feedback", "{assignment}"),
}


@dataclass
class Job:
    """One command that somebody has asked for.

    Attributes:
        action: a key of `COMMANDS`.
        assignment: what it is about.
        student: whom it is about; empty: all.
        state: waiting, running, done or failed.
        log: what the command said.
    """

    action: str
    assignment: str
    student: str = ""
    state: str = "waiting"
    log: str = ""
    started: float = 0.0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def command(self) -> list[str]:
        """What runs; names were checked where they came in."""
        words = [word.format(assignment=self.assignment) for word in COMMANDS[self.action]]
        return [*words, *(["--student", self.student] if self.student else [])]


class Jobs:
    """The queue of one course."""

    def __init__(self, course: Path, environment: dict[str, str], token: dict[str, str] | None = None) -> None:
        self._course, self._environment, self._token = course, environment, token or {}
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    def ask(self, action: str, assignment: str, student: str = "") -> Job:
        """Put a command into the queue; one that waits there already is not put there twice.

        Raises:
            HTTPError: 503, too many wait.
        """
        for job in self._waiting:
            if (job.action, job.assignment, job.student) == (action, assignment, student):
                return job
        if len(self._waiting) >= MOST_WAITING:
            raise HTTPError(503, "Too much work is waiting. Try again later.")
        job = Job(action, assignment, student)
        self._waiting.append(job)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return job

    def as_json(self) -> dict[str, Any]:
        """What the page shows while somebody waits."""
        running = self._running
        current = None
        if running is not None:
            done, total = self._progress(running)
            seconds = round(time.time() - running.started)
            current = {"action": running.action, "assignment": running.assignment, "student": running.student,
                       "seconds": seconds, "done": done, "total": total}  # fmt: skip
        return {"running": current, "waiting": len(self._waiting)}

    def stop(self) -> None:
        """End what runs, and all that it has started."""
        if self._task is not None:
            self._task.cancel()
        self._kill()

    async def _work(self) -> None:
        while self._waiting:
            job = self._running = self._waiting.popleft()
            job.started, job.state = time.time(), "running"
            try:
                job.state = "done" if await self._run(job) == 0 else "failed"
            except OSError as error:
                job.state, job.log = "failed", str(error)
            finally:
                self._running = None
                job.ended.set()

    async def _run(self, job: Job) -> int:
        """Run one command; one that grades has no token of the hub, so neither has what it starts."""
        environment = {**self._environment, **(self._token if job.action in EXCHANGING else {})}
        if job.action == "assign":
            environment.pop("TENSORGRADE_EXCHANGE", None)  # to generate is not yet to release
        self._process = await asyncio.create_subprocess_exec(
            *job.command,
            cwd=self._course,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            assert self._process.stdout is not None  # noqa: S101 - it was asked for
            kept = b""
            while piece := await self._process.stdout.read(LOG_BYTES):
                kept = (kept + piece)[-LOG_BYTES:]
                job.log = kept.decode(errors="replace")
            return await self._process.wait()
        finally:
            self._kill()
            self._process = None

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _progress(self, job: Job) -> tuple[int, int]:
        """How many of how many submissions were graded since the job began; (0, 0) for all that is short."""
        if job.action != "autograde" or job.student:
            return 0, 0
        total = sum(1 for _ in self._course.glob(f"submitted/*/{job.assignment}"))
        reports = self._course.glob(f"autograded/*/{job.assignment}/staff-report.json")
        return sum(report.stat().st_mtime >= job.started for report in reports), total
