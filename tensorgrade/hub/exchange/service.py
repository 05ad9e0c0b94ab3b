"""What all handlers of the exchange share: the records, the store, who asks, and the log of what happened."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from logging.handlers import WatchedFileHandler
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from urllib.parse import quote

from tensorgrade.errors import StorageError, UsageError
from tensorgrade.hub.courses import HubCourse
from tensorgrade.hub.exchange.archive import names_in
from tensorgrade.hub.exchange.callers import Callers
from tensorgrade.hub.exchange.metrics import Metrics
from tensorgrade.hub.exchange.nouns import Assignment, HandIn, Kept, Refused, Submission, utc_now, written
from tensorgrade.hub.exchange.records import Records
from tensorgrade.hub.exchange.settings import ExchangeSettings
from tensorgrade.hub.exchange.storage import Part, Store

THREADS = 16
AUDIT = "audit.log"
AT_ONCE = 2  # uploads of one student: the second one is that of a client which got no answer
Answer = TypeVar("Answer")


class Audit:
    """The log of who did what and who was refused, a JSON object in a line; no file's content is in it.

    The exchange and the commands on it write at the same time, so none of them rotates it: whoever does, renames it,
    and each of them goes on in a new file (`hub_config/logrotate`).
    """

    def __init__(self, file: Path) -> None:
        handler = WatchedFileHandler(file, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(message)s"))
        self._log = logging.Logger("audit")  # of its own: nobody else's settings reach it
        self._log.addHandler(handler)
        self.close = handler.close

    def write(self, event: str, **values: Any) -> None:
        """Add a line; what a request holds cannot begin another one (JSON has no line breaks)."""
        self._log.info(json.dumps({"time": written(utc_now()), "event": event, **values}))


class Uploads:
    """Who is handing in: one student can neither take the disk before the quota counts, nor all threads."""

    def __init__(self) -> None:
        self._now = Counter[str]()

    def begin(self, student: str) -> bool:
        """Whether the student may hand in one more at the moment; `end` follows."""
        if self._now[student] >= AT_ONCE:
            return False
        self._now[student] += 1
        return True

    def end(self, student: str) -> None:
        """It is there, was refused, or has broken off."""
        self._now[student] -= 1
        self._now += Counter()  # forgets who is at zero


@dataclass(frozen=True)
class Service:
    """The exchange behind its interface.

    Attributes:
        courses: by name, those that are served.
        clock: the server's.
    """

    courses: dict[str, HubCourse]
    settings: ExchangeSettings
    records: Records
    store: Store
    callers: Callers
    audit: Audit
    clock: Callable[[], datetime] = utc_now
    metrics: Metrics = field(default_factory=Metrics)
    uploads: Uploads = field(default_factory=Uploads)
    turns: defaultdict[tuple[str, str, str], Lock] = field(default_factory=lambda: defaultdict(Lock))
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS))

    async def run(self, work: Callable[[], Answer]) -> Answer:
        """Do what waits for the disk or the database beside the loop that answers everybody."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, work)

    def close(self) -> None:
        """Let what is being written down come to its end."""
        self.threads.shutdown()
        self.records.database.close()
        self.audit.close()

    def keep(self, part: Part, *place: str) -> Kept:
        """Check an upload and give it to the store.

        Raises:
            BadArchive: it holds what none may hold.
            OSError: the disk does not take it.
        """
        part.flush()
        with part.path.open("rb") as file:
            names = names_in(file, self.settings.archive)
        # A name of its own for each upload: what is removed under it was never anybody else's.
        name = f"{part.sha256}-{secrets.token_hex(4)}.tar.gz"
        key = "/".join(quote(one, safe="") for one in (*place, name))
        self.store.keep(part, key)
        return Kept(part.sha256, part.size, key, names)

    def require_open(self, assignment: Assignment, received: datetime) -> None:
        """Check that submissions are taken at this time.

        Raises:
            Refused: 403, the course takes none so long after the due date.
        """
        hours = self.courses[assignment.course].late_hours
        if assignment.due_at is None or hours is None:
            return
        end = assignment.due_at + timedelta(hours=hours)
        if received > end:
            raise Refused(
                403, f"{assignment.name} was due on {written(assignment.due_at)}; it was taken until {written(end)}"
            )

    def hand_in(
        self,
        part: Part,
        course: str,
        name: str,
        student: str,
        attempt: str | None,
        received: datetime | None = None,
    ) -> tuple[Submission, bool]:
        """Take a submission: checked, then on the disk, then in the records, and only then is there a receipt.

        Args:
            part: its bytes.
            course: which it is for.
            name: of the assignment.
            student: whose it is.
            attempt: what the sender calls it.
            received: when its last byte came, before it waited for anything here; None: now.

        Raises:
            BadArchive: it holds what none may hold.
            Refused: it is not taken.
            OSError: the disk does not take it.
        """
        received = received or self.clock()
        self.require_open(self.records.assignment(course, name), received)
        self.records.require_room(course, name, student, part.size)
        new = HandIn(course, name, student, attempt, received, Kept(part.sha256, part.size, "", ()))
        self.records.require_same_files(new)
        with self.turns[course, name, student]:  # of two that are equal, one may go when the other is written down
            kept = self.keep(part, "submissions", course, name, student)
            try:
                found, is_new = self.records.hand_in(replace(new, kept=kept))
            except BaseException:
                self._drop(kept.stored)
                raise
        if is_new:
            self.metrics.taken(found.size)
        elif found.stored != kept.stored:
            self._drop(kept.stored)
        return found, is_new

    def _drop(self, key: str) -> None:
        """Remove bytes that no record names, of what was refused or was there already; if nobody can tell, they stay.

        A database that went away after it had written this down makes us look twice: then they have a record.
        """
        with suppress(OSError, StorageError):
            if not self.records.submissions(stored=key):
                self.store.remove(key)

    def sweep(self) -> int:
        """Set aside what a kill has left in the store without a record: nobody has a receipt for it.

        Nothing is deleted: with an older database, these are submissions.

        Returns:
            How many there were.

        Raises:
            UsageError: the database knows nothing at all, so it is another one.
        """
        keys = list(self.store.abandoned_keys())  # first: what comes to the store later is none of these
        known = self.records.stored()
        left = [key for key in keys if key not in known]
        if not known and any(key.startswith("submissions/") for key in left):  # each is of an assignment with a record
            raise UsageError(
                "exchange: the store has submissions, the database knows none. Is it the right one? Put a backup back, "
                "or move the folder objects away to begin anew"
            )
        for key in left:
            self.store.set_aside(key)
        return len(left)
