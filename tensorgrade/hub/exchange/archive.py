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
from typing import IO, Any, Protocol

BLOCK = 10_240  # what tarfile reads at a time (`tarfile.RECORDSIZE`)
HEADER_BYTES = 16 * 1024  # long names and times come in headers of their own
# Tarfile searches such a header in a time that grows with the square of its length and lets nobody else work
# meanwhile (ref: CVE-2024-6232); tests/test_exchange_archive.py, "a header takes no time".
EXTENSION_BYTES = 4096
EXTENSION_BYTES_PER_FILE = 1024  # on average: so much for each file that an archive may hold
NAME_BYTES = 255  # ref: limits.h(0p), NAME_MAX
PATH_BYTES = 1000  # staff's commands put a folder in front of it (ref: limits.h(0p), PATH_MAX)
DEPTH = 16
EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
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

    def __init__(self, file: IO[bytes], extensions: int) -> None:
        self._gzip = gzip.GzipFile(fileobj=file, mode="rb")
        self.allowed = self.position = 0
        self._extensions_left = EXTENSION_BYTES + extensions
        self._last = b""

    def read(self, size: int) -> bytes:
        """At most `size` bytes; tarfile calls this."""
        data = self._gzip.read(min(size, BLOCK))
        self.position += len(data)
        if self.position > self.allowed:
            raise BadArchive("it unpacks to more than its files claim")
        self._last = (self._last + data)[-2 * BLOCK :]
        return data

    def require_small_extension(self, size: int) -> None:
        """Check the size of a header that extends the next one, before anybody reads it."""
        self._extensions_left -= size
        if not 0 <= size <= EXTENSION_BYTES or self._extensions_left < 0:
            raise BadArchive("the headers of its files are too large: names and times are taken, not much more")

    def require_only_padding(self, end: int) -> None:
        """Check that nothing follows the last file.

        Tarfile takes a broken header for the end: what came after it would be lost without a word.
        """
        self.allowed = self.position + 2 * BLOCK
        while self.read(BLOCK):
            pass
        if self.position - end > len(self._last) or self._last[len(self._last) - (self.position - end) :].strip(b"\0"):
            raise BadArchive("something follows its last file, or it is damaged")


class _Member(tarfile.TarInfo):
    """A header of the tar, looked at before tarfile reads what it announces."""

    def _proc_member(self, tar: Any) -> tarfile.TarInfo:
        """Tarfile calls this, the place that it leaves to others, with each header."""
        if self.type in EXTENSIONS:
            tar.fileobj.fileobj.require_small_extension(self.size)  # the stream of tarfile's, and in it _Inflated
        return super()._proc_member(tar)  # type: ignore[misc,no-any-return]  # typeshed leaves it out


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
    inflated, names, count, total = _Inflated(file, limits.files * EXTENSION_BYTES_PER_FILE), _Names(), 0, 0
    inflated.allowed = HEADER_BYTES
    options = {"mode": "r|", "bufsize": BLOCK, "tarinfo": _Member}
    with _refusing(), tarfile.open(fileobj=inflated, **options) as tar:  # type: ignore[call-overload]
        while (member := tar.next()) is not None:
            path = names.checked(member)
            count, total = count + 1, total + member.size
            if count > limits.files + 1:  # the folder itself, as tar packs it, is none of them
                raise BadArchive(f"it holds more than {limits.files} files")
            if total > limits.unpacked_bytes:
                raise BadArchive(f"its files are larger than {limits.unpacked_bytes // 1024**2} MiB together")
            inflated.allowed = inflated.position + member.size + 2 * BLOCK
            content = None if member.isdir() else tar.extractfile(member)
            yield path, Content(content) if content else None
            inflated.allowed += HEADER_BYTES
        inflated.require_only_padding(tar.offset)
    if not names.are_any:
        raise BadArchive("it holds no file")


class _Names:
    """The names in an archive, as far as it was read: each of them once, and none below a file."""

    def __init__(self) -> None:
        self._seen, self._files, self._folders = set[str](), set[str](), set[str]()

    @property
    def are_any(self) -> bool:
        """Whether there is anything but the folder itself."""
        return bool(self._seen - {"."})

    def checked(self, member: tarfile.TarInfo) -> PurePosixPath:
        """The path of a member, if it is a plain file or a folder under a plain name, for the first time."""
        name = member.name
        _require_plain(member)
        path = name.removesuffix("/").removeprefix("./")
        parts = path.split("/")
        if not (path == "." and member.isdir()) and (
            name.startswith("/")
            or len(parts) > DEPTH
            or not all(is_plain(part) for part in parts)
            or len(path.encode()) > PATH_BYTES
        ):
            raise BadArchive(
                f"{name[:200]!r} is no name that is taken: no .., no leading /, no control characters, nothing too long"
            )
        if parts[0] in RESERVED:  # as a folder, too, it would lie in the way of what the commands write
            raise BadArchive(f"{name[:200]!r} is a name that staff's commands need for themselves")
        if path in self._seen:
            raise BadArchive(f"{name[:200]!r} is in it twice")
        self._add(path, is_file=not member.isdir())
        return PurePosixPath(path)

    def _add(self, path: str, *, is_file: bool) -> None:
        """Remember a name, unless no folder could hold it beside the others."""
        above = {str(folder) for folder in PurePosixPath(path).parents}
        if above & self._files or (is_file and path in self._folders):
            raise BadArchive(f"{path[:200]!r} is a file and a folder in it")
        self._seen.add(path)
        self._folders |= above
        if is_file:
            self._files.add(path)


def _require_plain(member: tarfile.TarInfo) -> None:
    """Check that a member is a file or a folder, of a size that can be."""
    name = member.name
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE) or member.issparse():
        # Links would make whoever unpacks them read or write elsewhere, device files open a device, pipes hang.
        raise BadArchive(f"{name[:200]!r} is no plain file. Links and special files are not taken")
    if member.size < 0 or (member.isdir() and member.size):
        raise BadArchive(f"{name[:200]!r} has an impossible size")


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
