"""Opens the exchange's database, brings it up to date, and waits for one that is away for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from tensorgrade.errors import StorageError

PATIENCE_SECONDS = 20.0  # a database that is away for so long is waited for
RACES = 50  # of writers for the same number
DISK_FULL = "the exchange's disk is full. Free some space on it"
FULL = ("database or disk is full", "No space left on device")
# PostgreSQL is stopping, has crashed, or is starting (ref: its manual, appendix A, class 57).
AWAY = ("57P01", "57P02", "57P03")
Answer = TypeVar("Answer")


class Database:
    """A database of SQLAlchemy's, and one rule for all work on it: whole or not at all, and again if it was away.

    Args:
        url: SQLAlchemy's address of it.
    """

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url, pool_pre_ping=True, **({} if url.startswith("sqlite") else {"pool_size": 16}))
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _set_up_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    def migrate(self) -> None:
        """Bring the tables up to date."""
        from alembic import command  # not above: a student's server reads no database
        from alembic.config import Config

        def upgrade(connection: Connection) -> None:
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

        self.write(upgrade)

    def read(self, work: Callable[[Connection], Answer]) -> Answer:
        """Do work that changes nothing.

        Raises:
            StorageError: the database is away, or full.
        """
        return self._run(work, writes=False)

    def write(self, work: Callable[[Connection], Answer]) -> Answer:
        """Do work in a transaction; when this returns, it is on the disk.

        It may be done twice, so it has to look first.

        Raises:
            StorageError: the database is away, or full.
        """
        return self._run(work, writes=True)

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def _run(self, work: Callable[[Connection], Answer], *, writes: bool) -> Answer:
        engine: Engine = self.engine.execution_options(writes=writes)
        deadline, races = time.monotonic() + PATIENCE_SECONDS, 0
        while True:
            try:
                with engine.begin() as connection:
                    return work(connection)
            except IntegrityError:
                races += 1  # somebody else took the number in the meantime: look again
                if races == RACES:
                    raise
            except DBAPIError as error:
                if any(words in str(error) for words in FULL):
                    raise StorageError(DISK_FULL) from error
                away = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
                away = away or any(code in str(error.orig) for code in AWAY)
                if not away or time.monotonic() > deadline:
                    raise StorageError(f"the exchange's database cannot be used: {error.orig}") from error
                time.sleep(0.2)


def _set_up_sqlite(connection: Any, _: Any) -> None:
    """A log that survives a kill and a power cut, readers that do not wait for writers.

    Source: sqlite.org, *PRAGMA statements*: ``synchronous`` FULL, and *Write-Ahead Logging*.
    """
    connection.isolation_level = None  # transactions begin where we say so, see below
    for pragma in ("journal_mode=wal", "synchronous=full", "foreign_keys=on", "busy_timeout=20000"):
        connection.execute(f"pragma {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Who writes takes the lock first: two that have both read could not both write."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("begin immediate" if writes else "begin")
