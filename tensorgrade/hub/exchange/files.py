"""Packs the folders that nbgrader's commands send, and unpacks what they fetch, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging import Logger
from pathlib import Path
from typing import Any

from nbgrader.utils import ignore_patterns

from tensorgrade.hub.exchange.archive import RESERVED, ArchiveLimits, pack, unpack

# What is unpacked here was checked by the service against its own limits, which may be lower.
LIMITS = ArchiveLimits(8 * 1024**3, 100_000)


@contextmanager
def packed(files: list[tuple[str, Path]]) -> Iterator[Path]:
    """An archive of these files, for as long as it is needed."""
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as file:
        pack(files, file)
        file.flush()
        yield Path(file.name)


def files_of(folder: Path, coursedir: Any, log: Logger) -> list[tuple[str, Path]]:
    """What nbgrader's settings (ignore, include, max_file_size) let out of a folder, with the name of each.

    Links are left out: the service takes none.
    """
    ignored = ignore_patterns(
        exclude=coursedir.ignore, include=coursedir.include, max_file_size=coursedir.max_file_size, log=log
    )
    found = []
    for place, folders, names in os.walk(folder):
        out = set(ignored(place, [*folders, *names]))
        folders[:] = sorted(set(folders) - out)
        for name in sorted(set(names) - out):
            path = Path(place, name)
            if path.is_symlink() or not path.is_file():
                log.warning("Left out: %s is a link or no file. Put the file itself in its place", path)
            elif Path(place) != folder or name not in RESERVED:
                found.append((str(path.relative_to(folder)), path))
    return found


@contextmanager
def unpacked(fetch: Callable[[Any], None], beside: Path) -> Iterator[Path]:
    """What `fetch` gets, unpacked into a new folder beside another one, to be moved away from there."""
    beside.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=".fetching-", dir=beside.parent))
    try:
        with tempfile.TemporaryFile() as file:
            fetch(file)
            unpack(file, new, LIMITS)
        new.chmod(0o777 & ~_umask())
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def share(folder: Path) -> None:
    """Let the course's group change a folder, as nbgrader does for ``c.CourseDirectory.groupshared``."""
    for place, _, names in os.walk(folder):
        Path(place).chmod((Path(place).stat().st_mode | 0o2770) & 0o2777)
        for name in names:
            path = Path(place, name)
            path.chmod((path.stat().st_mode | 0o660) & 0o777)


def _umask() -> int:
    """What this process takes from the modes of new files; there is no way to ask but to set it (ref: umask(2))."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
