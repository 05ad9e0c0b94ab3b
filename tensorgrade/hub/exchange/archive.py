"""The tar.gz in which files go to and fro: made the same way every time, read without believing anything in it.

One function reads an archive, for the service that takes it and for the command that unpacks it. Whoever wrote the
archive chooses no path outside the folder, no kind of file but plain ones, and no amount of memory or disk.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

BLOCK = 10_240  # what tarfile reads at a time (`tarfile.RECORDSIZE`)
HEADER_BYTES = 64 * 1024  # long names and times come in headers of their own
NAME_BYTES = 255  # ref: limits.h(0p), NAME_MAX
DEPTH = 16
# Written beside a submission by the command that collects it; a student's own would be taken for it.
RESERVED = ("timestamp.txt", "submission_secret.txt", "submission_receipt.txt")


class BadArchive(ValueError):
    """An archive that is not taken; the message is for whoever sent it."""


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold.

    Attributes:
        unpacked_bytes: all its files together.
        files: files and folders.
    """

    unpacked_bytes: int
    files: int


class _Inflated:
    """The bytes of the tar inside a gzip, of which only so many may be read as were allowed before.

    This stops an archive bomb, and a header that claims gigabytes, which tarfile would read into memory.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._gzip = gzip.GzipFile(fileobj=file, mode="rb")
        self.allowed = self.position = 0
        self._last = b""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; tarfile calls this."""
        data = self._gzip.read(min(size, BLOCK))
        self.position += len(data)
        if self.position > self.allowed:
            raise BadArchive("it unpacks to more than its files claim")
        self._last = (self._last + data)[-2 * BLOCK :]
        return data

    def require_only_padding(self, end: int) -> None:
        """Check that nothing follows the last file.

        Tarfile takes a broken header for the end: what came after it would be lost without a word.
        """
        self.allowed = self.position + 2 * BLOCK
        while self.read(BLOCK):
            pass
        if self.position - end > len(self._last) or self._last[len(self._last) - (self.position - end) :].strip(b"\0"):
            raise BadArchive("something follows its last file, or it is damaged")


class Content:
    """The content of a file in an archive."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def pieces(self) -> Iterator[bytes]:
        """All of it, a little at a time.

        Raises:
            BadArchive: the archive is damaged.
        """
        while True:
            with _refusing():
                piece = self._file.read(BLOCK)
            if not piece:
                return
            yield piece


@contextmanager
def _refusing() -> Iterator[None]:
    """Whatever tarfile and gzip say of bytes that were made to confuse them."""
    try:
        yield
    except BadArchive:
        raise
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, OverflowError) as error:
        raise BadArchive(f"it is no tar.gz, or a damaged one ({type(error).__name__})") from error


def read_archive(file: IO[bytes], limits: ArchiveLimits) -> Iterator[tuple[PurePosixPath, Content | None]]:
    """Read an archive from its beginning to its end.

    Args:
        file: a tar.gz.
        limits: what it may hold.

    Yields:
        The path of each file or folder, and the file's content (None: a folder), to be read before the next one.

    Raises:
        BadArchive: it is no such archive, or holds what none may hold.
    """
    inflated, seen, total = _Inflated(file), set[str](), 0
    inflated.allowed = HEADER_BYTES
    with _refusing(), tarfile.open(fileobj=inflated, mode="r|", bufsize=BLOCK) as tar:  # type: ignore[call-overload]
        while (member := tar.next()) is not None:
            path = _checked(member, seen)
            total += member.size
            if len(seen) > limits.files:
                raise BadArchive(f"it holds more than {limits.files} files")
            if total > limits.unpacked_bytes:
                raise BadArchive(f"its files are larger than {limits.unpacked_bytes // 1024**2} MiB together")
            inflated.allowed = inflated.position + member.size + 2 * BLOCK
            content = None if member.isdir() else tar.extractfile(member)
            yield path, Content(content) if content else None
            inflated.allowed += HEADER_BYTES
        inflated.require_only_padding(tar.offset)
    if not seen:
        raise BadArchive("it holds no file")


def _checked(member: tarfile.TarInfo, seen: set[str]) -> PurePosixPath:
    """The path of a member, if it is a plain file or a folder under a plain name, for the first time."""
    name = member.name
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or member.issparse():
        # Links would make whoever unpacks them read or write elsewhere, device files open a device, pipes hang.
        raise BadArchive(f"{name[:200]!r} is no plain file. Links and special files are not taken")
    if member.size < 0 or (member.isdir() and member.size):
        raise BadArchive(f"{name[:200]!r} has an impossible size")
    parts = name.removesuffix("/").removeprefix("./").split("/")
    if name.rstrip("/") in ("", "."):
        return PurePosixPath(".")
    if name.startswith("/") or len(parts) > DEPTH or not all(is_plain(part) for part in parts):
        raise BadArchive(f"{name[:200]!r} is no name that is taken: no .., no leading /, no control characters")
    path = "/".join(parts)
    if len(parts) == 1 and parts[0] in RESERVED:
        raise BadArchive(f"{name!r} is a name that staff's commands need for themselves")
    if path in seen:
        raise BadArchive(f"{name[:200]!r} is in it twice")
    seen.add(path)
    return PurePosixPath(path)


def is_plain(part: str) -> bool:
    """Whether this is a name that every system and every terminal shows as it is."""
    try:
        length = len(part.encode())
    except UnicodeEncodeError:
        return False
    odd = any(unicodedata.category(char)[0] == "C" or char in "\\\u2028\u2029" for char in part)
    return 0 < length <= NAME_BYTES and part not in (".", "..") and not odd


def names_in(file: IO[bytes], limits: ArchiveLimits) -> tuple[str, ...]:
    """The names of all files, each read to its end.

    Raises:
        BadArchive: it is not taken.
    """
    names = []
    for path, content in read_archive(file, limits):
        if content is not None:
            names.append(str(path))
            for _ in content.pieces():
                pass
    return tuple(names)


def unpack(file: IO[bytes], folder: Path, limits: ArchiveLimits) -> tuple[str, ...]:
    """Write the files of an archive into a folder that is new and nobody else's.

    Raises:
        BadArchive: it is not taken; some of its files may be there already.
    """
    names = []
    for path, content in read_archive(file, limits):
        target = folder / path
        if content is None:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        # Neither a link nor a file that is there already is written through (ref: open(2)).
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            descriptor = os.open(target, flags, 0o666)
        except OSError as error:
            raise BadArchive(f"{str(path)!r} cannot be written: {error.strerror}") from error
        with os.fdopen(descriptor, "wb") as copy:
            for piece in content.pieces():
                copy.write(piece)
        names.append(str(path))
    return tuple(names)


class Writer(Protocol):
    """What bytes can be written to."""

    def write(self, data: bytes, /) -> object:
        """Add them."""

    def flush(self) -> None:
        """Let others see them."""


def pack(files: Iterable[tuple[str, Path]], to: Writer) -> None:
    """Write an archive of these files; the same files make the same bytes, whenever and wherever.

    Args:
        files: under which name which file goes into it.
        to: where it is written.
    """
    with (
        gzip.GzipFile(filename="", fileobj=to, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, path in sorted(files):
            with path.open("rb") as content:
                member = tarfile.TarInfo(name)
                member.size = os.fstat(content.fileno()).st_size
                member.mode = 0o644
                tar.addfile(member, content)
