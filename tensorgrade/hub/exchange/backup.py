"""Copies everything that was handed in to another folder, while the exchange runs, and checks a copy."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from tensorgrade.errors import StorageError, UsageError

DATABASE = "exchange.sqlite"


def back_up(state: Path, to: Path) -> int:
    """Copy the records, then the bytes: what has a record then has its bytes, since nothing is ever changed.

    Args:
        state: the exchange's folder.
        to: a folder that is not there yet, or an older copy, to which only what is new is added.

    Returns:
        How many files were copied.

    Raises:
        UsageError: there is no exchange with a database of its own in the folder.
        StorageError: the copy is not whole.
    """
    if not (state / DATABASE).is_file():
        raise UsageError(f"{state}: no {DATABASE} here. Name the folder exchange-service in the hub's state")
    if not (state / "objects").is_dir():
        raise UsageError(f"{state}: no objects here: they are in an object store. Copy its bucket with its own tools")
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = to / f"{DATABASE}.new"
    new.unlink(missing_ok=True)
    with closing(sqlite3.connect(state / DATABASE)) as source, closing(sqlite3.connect(new)) as copy:
        source.backup(copy)
        copied = sum(_copy(state / "objects" / key, to / "objects" / key) for key, _ in _stored(copy))
    for log in state.glob("audit.log*"):  # the ones before it, too
        shutil.copyfile(log, to / log.name)
    new.replace(to / DATABASE)
    check(to)
    return copied


def check(folder: Path) -> int:
    """Compare the bytes with what the records say of them.

    Returns:
        How many were compared.

    Raises:
        StorageError: some are missing, or others.
    """
    with closing(sqlite3.connect(folder / DATABASE)) as records:
        stored = _stored(records)
    for key, expected in stored:
        file = folder / "objects" / key
        if not file.is_file():
            raise StorageError(f"{file}: missing. This copy is not whole")
        with file.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != expected:
                raise StorageError(f"{file}: other bytes than were handed in. This copy is damaged")
    return len(stored)


def _stored(records: sqlite3.Connection) -> list[tuple[str, str]]:
    """By its name in the store, the content hash of everything that was not retired."""
    tables = ("assignments", "submissions where retired_at is null", "feedback where retired_at is null")
    query = " union ".join(f"select stored, sha256 from {table}" for table in tables)  # noqa: S608 - words of ours
    return [(str(key), str(sha256)) for key, sha256 in records.execute(query)]


def _copy(source: Path, target: Path) -> bool:
    """Copy what is not there yet, whole or not at all."""
    if target.is_file():
        return False
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, part)
    part.replace(target)
    return True
