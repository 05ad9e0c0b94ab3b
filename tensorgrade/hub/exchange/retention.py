"""Removes the bytes of submissions and feedback that were kept long enough; their records stay."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Select, literal, select, update

from tensorgrade.errors import UsageError
from tensorgrade.hub.exchange import tables as t
from tensorgrade.hub.exchange.application import open_records, open_store
from tensorgrade.hub.exchange.nouns import utc_now
from tensorgrade.hub.exchange.records import RETIRABLE, Records
from tensorgrade.hub.exchange.service import AUDIT, Audit
from tensorgrade.hub.exchange.settings import read_exchange
from tensorgrade.hub.exchange.storage import Store


@dataclass(frozen=True)
class Old:
    """A submission, or the feedback on one, that is older than it has to be.

    Attributes:
        what: submission or feedback.
        receipt: of the submission.
        since: when it was received, or released.
        size: bytes.
        stored: their name in the store.
    """

    what: str
    receipt: str
    course: str
    assignment: str
    student: str
    since: datetime
    size: int
    sha256: str
    stored: str


def before(keep_days: int | None, now: datetime | None = None) -> datetime:
    """The moment from which on everything is kept.

    Raises:
        UsageError: everything is kept for ever.
    """
    if keep_days is None:
        raise UsageError(
            "exchange.toml: keep_days is not set: everything is kept for ever. Set it, such as keep_days = 730"
        )
    return (now or utc_now()) - timedelta(days=keep_days)


def find_old(records: Records, end: datetime) -> tuple[Old, ...]:
    """What came before that moment and is still there; the first one first."""

    def work(connection: Connection) -> tuple[Old, ...]:
        found = [Old(**row._asdict()) for query in _queries(end) for row in connection.execute(query)]
        return tuple(sorted(found, key=lambda one: (one.course, one.assignment, one.student, one.since)))

    return records.database.read(work)


def retire(records: Records, store: Store, audit: Audit, old: Iterable[Old]) -> None:
    """Write down that they are gone, then remove their bytes, and those that a kill in between has left earlier.

    It may be done while the exchange runs: each upload has a name in the store that nothing else gets.
    """
    now = utc_now()
    for one in old:
        table, column = (t.submissions, "id") if one.what == "submission" else (t.feedback, "submission")
        key = {column: one.receipt, "stored": one.stored}  # new feedback has come meanwhile: then it stays
        change = update(table).filter_by(**key).values(retired_at=now)
        if records.database.write(lambda connection, change=change: connection.execute(change).rowcount):  # type: ignore[misc]
            audit.write("retired", what=one.what, receipt=one.receipt, student=one.student, sha256=one.sha256,
                        course=one.course, assignment=one.assignment)  # fmt: skip
    for stored in _retired_keys(records).intersection(store.all_keys()) - records.stored():
        store.remove(stored)


def _retired_keys(records: Records) -> set[str]:
    """The names of all that was ever retired."""
    queries = [select(table.c.stored).where(table.c.retired_at.is_not(None)) for table in RETIRABLE]
    return records.database.read(lambda c: {row.stored for query in queries for row in c.execute(query)})


@contextmanager
def retiring(config: Path, state: Path) -> Iterator[tuple[tuple[Old, ...], Callable[[], None]]]:
    """What is too old in an exchange's folder, and what removes it.

    Args:
        config: the folder with ``exchange.toml``.
        state: the exchange's folder.

    Raises:
        UsageError: there is no exchange in the folder, it is somebody else's, or everything is kept for ever.
        StorageError: the store or the database is away.
    """
    settings = read_exchange(config / "exchange.toml")
    end = before(settings.keep_days)
    if not (state / AUDIT).is_file():
        raise UsageError(f"{state}: no exchange here. Name the folder exchange-service in the hub's state")
    if os.geteuid() not in (0, owner := state.stat().st_uid):
        # What anybody else makes beside the database, the exchange could not write; SQLite gives away what root makes.
        raise UsageError(f"{state}: belongs to the account {owner}. Run this as that account, or as root")
    records, audit = open_records(settings, config, state), Audit(state / AUDIT)
    try:
        store, old = open_store(settings, config, state), find_old(records, end)
        store.check()
        yield old, lambda: retire(records, store, audit, old)
    finally:
        records.database.close()
        audit.close()


def lines_on(old: Iterable[Old]) -> list[str]:
    """How much it is, for each assignment, in words."""
    groups: dict[tuple[str, str], list[Old]] = {}
    for one in old:
        groups.setdefault((one.course, one.assignment), []).append(one)
    return [_line(course, name, group) for (course, name), group in groups.items()]


def _line(course: str, name: str, group: list[Old]) -> str:
    feedback = sum(one.what == "feedback" for one in group)
    return (
        f"{course} {name}: {len(group) - feedback} submissions, {feedback} feedback, {sum(i.size for i in group)} bytes"
    )


def _queries(end: datetime) -> tuple[Select[tuple[object, ...]], ...]:
    """Of submissions, and of feedback."""
    s, f = t.submissions.c, t.feedback.c
    place = (s.id.label("receipt"), s.course, s.assignment, s.student)
    return (
        select(
            literal("submission").label("what"), *place, s.received_at.label("since"), s.size, s.sha256, s.stored
        ).where(s.received_at < end, s.retired_at.is_(None)),
        select(literal("feedback").label("what"), *place, f.released_at.label("since"), f.size, f.sha256, f.stored)
        .join(t.feedback, f.submission == s.id)
        .where(f.released_at < end, f.retired_at.is_(None)),
    )
