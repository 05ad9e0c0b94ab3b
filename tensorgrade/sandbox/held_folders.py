"""Temporary folders that go with the process that holds them, however it ends. Runs inside the sandbox too.

The process holds a lock on its folder (ref: flock(2)), which ends with it; a folder whose lock is gone is
removed by `sweep`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def make(prefix: str) -> tuple[Path, int]:
    """A new folder that only this user may enter, and the descriptor that holds its lock."""
    new = Path(tempfile.mkdtemp(prefix=f"new-{prefix}")).resolve()  # 0700 (ref: mkdtemp(3))
    lock = os.open(new, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_EX)
    folder = new.with_name(new.name.removeprefix("new-"))
    new.rename(folder)  # never seen under its name without its lock
    return folder, lock


def sweep(prefix: str) -> None:
    """Remove the folders of this user whose process was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError):  # not ours, still locked, or gone meanwhile
            if folder.lstat().st_uid == os.getuid() and not folder.is_symlink():
                lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove(folder)
                finally:
                    os.close(lock)


def remove(folder: Path) -> None:
    """Remove a tree in which a student chose the names, the rights and the depth; what resists is left."""
    with suppress(RecursionError):
        shutil.rmtree(folder, onerror=_open_and_try_again)


def _open_and_try_again(function: object, path: str, error: object) -> None:
    with suppress(OSError):
        place = Path(path)
        if stat.S_ISDIR(place.lstat().st_mode):
            place.chmod(0o700)
        shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
