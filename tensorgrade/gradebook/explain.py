"""Says in one sentence why a disk or a database cannot be written."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, InternalError, OperationalError

from tensorgrade.errors import REMEDIES, StorageError

# What SQLite says, and what helps (ref: sqlite.org/rescode.html).
SQLITE = {
    "is locked": "Another program has it open. Close it (formgrader, an nbgrader command, a database browser)",
    "disk is full": "Free some space on that disk",
    "readonly": "Make it writable, and the folder it lies in",
    "unable to open": "Make the folder it lies in readable and writable",
    "disk I/O error": "Free some space on that disk, or look at its health",
    "not a database": "It is damaged: put back a copy, or move it away to start a new one without manual points",
    "malformed": "It is damaged: put back a copy, or move it away to start a new one without manual points",
}


@contextmanager
def explained(db_url: str) -> Iterator[None]:
    """Turn what a disk or the gradebook's database raises into a sentence.

    Raises:
        StorageError: says what to do.
    """
    log = logging.getLogger("tornado.application")  # nbgrader writes there, past the log that it was given
    was_disabled, log.disabled = log.disabled, True
    try:
        yield
    except Exception as error:
        found = storage_error(error, db_url)
        if found is None:
            raise
        raise found from error
    finally:
        log.disabled = was_disabled


def storage_error(error: BaseException | None, db_url: str) -> StorageError | None:
    """The sentence about an error, if a disk or a database is at fault and not a submission."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in REMEDIES:
            return StorageError.from_os(error)
        if isinstance(error, OperationalError | InternalError) or type(error) is DatabaseError:
            return StorageError(_about(db_url, str(error.orig).strip()))
        error = error.__cause__ or error.__context__  # nbgrader hides what SQLite said in an InvalidEntry
    return None


def _about(db_url: str, said: str) -> str:
    url = make_url(db_url)
    name = url.database if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
    remedy = next((remedy for words, remedy in SQLITE.items() if words in said), "Mend that")
    return (
        f"{name}: {said.splitlines()[0] if said else 'failed'}. {remedy}, then run this again; what was recorded stays."
    )
