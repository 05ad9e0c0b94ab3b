"""Keeps the bytes of submissions, assignments and feedback in a folder, so that a kill or a power cut loses none."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from tensorgrade.errors import StorageError


class Missing(StorageError):
    """Bytes that have a record are not in the store."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key}: missing in the exchange's store. Put it back from a backup")


class Part:
    """An upload on its way in: bytes on the disk under no name that anybody asks for."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{secrets.token_hex(16)}.part"
        self._file = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb")
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            OSError: the disk does not take them.
        """
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """Content hash of what has come so far, in hexadecimal."""
        return self._digest.hexdigest()

    def flush(self) -> None:
        """Make it readable.

        Raises:
            OSError: the disk does not take it.
        """
        self._file.flush()

    def end(self) -> None:
        """Make it readable, and let go of its descriptor; no more can be added.

        Raises:
            OSError: the disk does not take it.
        """
        self._file.close()

    def sync(self) -> None:
        """Wait until the disk has all of it (ref: fsync(2)); no more can be added."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Forget it, unless the store has it under its name by now."""
        with suppress(OSError):  # a full disk refuses what was not written yet, and it is not wanted
            self._file.close()
        self.path.unlink(missing_ok=True)


class Store(Protocol):
    """Where bytes are kept; each name is given once.

    Attributes:
        incoming: the folder of uploads on their way in.
    """

    incoming: Path

    def clear_incoming(self) -> None:
        """Drop uploads that a kill has ended."""

    def keep(self, part: Part, key: str) -> None:
        """Give an upload its name; once this returns, it is kept whatever happens."""

    def open(self, key: str) -> IO[bytes]:
        """Read what was kept.

        Raises:
            Missing: it is not there.
        """

    def remove(self, key: str) -> None:
        """Drop what nobody needs any more; what is not there is no matter."""

    def all_keys(self) -> Iterator[str]:
        """The names of all that is kept."""

    def abandoned_keys(self) -> Iterator[str]:
        """At a start, those that may be set aside if there is no record of them."""

    def set_aside(self, key: str) -> None:
        """Move away what no record names, for an operator to look at."""

    def check(self) -> None:
        """See whether it is there.

        Raises:
            StorageError: it is not.
        """


class IncomingFolder:
    """Where uploads lie until the store has them.

    Args:
        root: the exchange's folder; nobody but the service can open it.
    """

    def __init__(self, root: Path) -> None:
        self.incoming = root / "incoming"
        self.incoming.mkdir(mode=0o700, parents=True, exist_ok=True)

    def clear_incoming(self) -> None:
        """Drop uploads that a kill has ended: nobody has a receipt for them."""
        for left in self.incoming.glob("*.part"):
            left.unlink()


class FolderStore(IncomingFolder):
    """A folder of files that are written once.

    Args:
        root: the exchange's folder.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._objects, self._orphans = root / "objects", root / "orphans"
        self._objects.mkdir(mode=0o700, exist_ok=True)

    def keep(self, part: Part, key: str) -> None:
        """Give an upload its name; once this returns, it is on the disk whatever happens.

        The same bytes under the same name change nothing, so this may be done again.

        Raises:
            OSError: the disk does not take it.
        """
        part.sync()
        target = self._objects / key
        new = [folder for folder in (target.parent, *target.parent.parents) if not folder.exists()]
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.path.replace(target)
        # A name is on the disk only when its folder is, and a folder when the one above is (ref: fsync(2)).
        for folder in (target.parent, *(one.parent for one in new)):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def open(self, key: str) -> IO[bytes]:
        """Read what was kept.

        Raises:
            Missing: it is not there.
        """
        try:
            return (self._objects / key).open("rb")
        except FileNotFoundError as error:
            raise Missing(key) from error

    def remove(self, key: str) -> None:
        """Drop what nobody needs any more; what is not there is no matter."""
        (self._objects / key).unlink(missing_ok=True)

    def set_aside(self, key: str) -> None:
        """Move away what no record names, for an operator to look at."""
        target = self._orphans / key
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._objects / key).replace(target)

    def all_keys(self) -> Iterator[str]:
        """The names of all that is kept."""
        return (str(path.relative_to(self._objects)) for path in self._objects.rglob("*") if path.is_file())

    def abandoned_keys(self) -> Iterator[str]:
        """All, at a start: nobody else stores here, and the records lie beside them."""
        return self.all_keys()

    def check(self) -> None:
        """It is: the disk is this machine's."""
