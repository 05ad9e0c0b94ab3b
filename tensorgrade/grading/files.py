"""Reads and digests the files of a submission."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from tensorgrade.errors import NotebookError
from tensorgrade.limits import MIB

MAX_FILES = 1000


def read_files_beside(folder: Path, limit_bytes: int) -> dict[str, bytes]:
    """By relative path, the regular files in a folder that are no notebooks.

    Hidden files and symbolic links are left out: a link may point at another student's work.

    Raises:
        NotebookError: a file cannot be read, or there are too many or too large ones.
    """
    found: dict[str, bytes] = {}
    left = limit_bytes
    for parent, folders, names in os.walk(folder):  # does not follow links
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith(".") or name.endswith(".ipynb"):
                continue
            path = Path(parent, name)
            content = _read_regular(path, left)
            if content is None:
                continue
            left -= len(content)
            found[path.relative_to(folder).as_posix()] = content
            if left < 0 or len(found) > MAX_FILES:
                raise NotebookError(
                    f"expected at most {MAX_FILES} files of together {limit_bytes // MIB} MiB beside the "
                    "notebook (half of limits.disk_mib), found more"
                )
    return found


def digest_of_folder(folder: Path) -> str:
    """Content hash of everything in a folder, by name; of links, pipes and devices the name only."""
    digest = hashlib.sha256()
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            digest.update(f"{path.relative_to(folder)}\0".encode(errors="surrogateescape"))
            if stat.S_ISREG(path.lstat().st_mode):
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _read_regular(path: Path, limit_bytes: int) -> bytes | None:
    """Up to one byte more than the limit of a file; None if it is a link, a device or a pipe."""
    try:
        # Opened without following or waiting, then looked at: nobody can exchange it in between.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return file.read(max(limit_bytes, 0) + 1)
    except OSError as error:
        if path.is_symlink():
            return None
        raise NotebookError(f"{path.name}: cannot be read ({error.strerror})") from error
