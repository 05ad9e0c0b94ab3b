"""Reads the files of a form piece by piece to the disk, as a browser sends them."""

from __future__ import annotations

from pathlib import Path

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from tensorgrade.hub.exchange.archive import BadArchive, is_plain, pack
from tensorgrade.hub.exchange.storage import Part


class Form:
    """The files of one form on their way in.

    Args:
        kind: the request's Content-Type.
        folder: where they wait.
        most: files.

    Raises:
        BadArchive: this is no form.
    """

    def __init__(self, kind: str, folder: Path, most: int) -> None:
        name, options = parse_options_header(kind)
        if name != "multipart/form-data" or "boundary" not in options:
            raise BadArchive("expected a form with files")
        self._parser = PushMultipartParser(options["boundary"])
        self._folder, self._most, self._count = folder, most, 0
        self._current: Part | None = None
        self._files: list[tuple[str, Part]] = []

    def feed(self, chunk: bytes) -> None:
        """Take a piece.

        Raises:
            BadArchive: this is no form, it has too many parts, or a file has a name that is not taken.
            OSError: the disk does not take it.
        """
        try:
            for event in self._parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    self._current = self._begin(event)
                elif self._current is not None and event is not None:
                    self._current.write(bytes(event))
                elif self._current is not None:
                    self._current.end()  # a descriptor for each file of a form would be all that there are
                    self._current = None
        except MultipartError as error:
            raise BadArchive(f"the form is damaged ({error})") from error

    def _begin(self, segment: MultipartSegment) -> Part | None:
        """A file, or None for what is none: a browser sends an empty name where nothing was chosen."""
        self._count += 1
        if self._count > self._most:
            raise BadArchive(f"expected at most {self._most} files, got more")
        if not segment.filename:
            return None
        if not is_plain(segment.filename) or "/" in segment.filename:
            raise BadArchive(f"{segment.filename[:200]!r} is no name that is taken")
        part = Part(self._folder)
        self._files.append((segment.filename, part))
        return part

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the files."""
        return tuple(name for name, _ in self._files)

    def packed(self) -> Part:
        """All of them as one archive, as other clients send it.

        Raises:
            BadArchive: there is none, or the form has broken off.
        """
        try:
            self._parser.close()
        except MultipartError as error:
            raise BadArchive("the form has broken off") from error
        if not self._files:
            raise BadArchive("choose at least one file")
        if len(set(self.names)) < len(self.names):
            raise BadArchive("two files have the same name")
        whole = Part(self._folder)
        try:
            pack([(name, part.path) for name, part in self._files], whole)
        except BaseException:
            whole.close()
            raise
        return whole

    def close(self) -> None:
        """Forget the files."""
        for _, part in self._files:
            part.close()
