"""Reads and digests the files of a submission."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from tensorgrade.errors import NotebookError
from tensorgrade.limits import MIB, Limits

MAX_FILES = 1000
MESSAGE_ROOM = 64 * 1024  # for the name and the header of the message that carries a file


def read_files_beside(folder: Path, limits: Limits) -> dict[str, bytes]:
    """By relative path, the files in a folder that are no notebooks and not hidden.

    Raises:
        NotebookError: a file is not a regular one, cannot be read, has a name that is not UTF-8, or
            there are too many or too large ones.
    """
    found: dict[str, bytes] = {}
    left, folders_left = limits.disk_mib * MIB // 2, MAX_FILES
    for parent, folders, names in os.walk(folder):  # does not follow links
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        folders_left -= len(folders)
        for name in sorted(name for name in names if not name.startswith(".") and not name.endswith(".ipynb")):
            path = Path(parent, name)
            content = _read_regular(path, min(left, limits.message_bytes - MESSAGE_ROOM))
            left -= len(content)
            found[_utf8(path.relative_to(folder).as_posix())] = content
        if left < 0 or len(found) > MAX_FILES or folders_left < 0:
            raise NotebookError(
                f"expected at most {MAX_FILES} files of together {limits.disk_mib // 2} MiB beside the notebook "
                "(half of limits.disk_mib), found more"
            )
    return found


def require_regular_files(folder: Path) -> None:
    """Refuse a submission that holds anything but folders and regular files.

    A link may lead to another student's work or to the grader: nbgrader copies what it leads to, and
    gives it back as feedback. A pipe stops whoever opens it.

    Raises:
        NotebookError: names the first one.
    """
    for parent, folders, names in os.walk(folder):
        for name in sorted([*folders, *names]):
            mode = Path(parent, name).lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                kind = "a symbolic link" if stat.S_ISLNK(mode) else "no regular file"
                raise NotebookError(f"{name!r} is {kind}; a submission holds folders and regular files only")


def missing_notebooks(folder: Path, names: Iterable[str]) -> str | None:
    """What to say about a submission that cannot be graded for lack of a notebook; else None.

    One of several notebooks may be left out, unless a file of another name may be the very one.

    Args:
        folder: the submission's.
        names: of the notebooks that are expected, without ``.ipynb``.
    """
    expected = [f"{name}.ipynb" for name in names]
    lacking = [name for name in expected if not os.path.lexists(folder / name)]
    others = sorted({path.name for path in folder.glob("*.ipynb")} - set(expected))
    if not lacking or (len(lacking) < len(expected) and not others):
        return None
    found = f"found {', '.join(others[:5])}" if others else "found no notebook"
    return f"expected {' and '.join(lacking)}, {found}. Rename the student's file, or ask for it."


def digest_of_folder(folder: Path) -> str:
    """Content hash of everything in a folder, by name; of links, pipes and devices the name only.

    What Python compiles for itself is left out: it appears whenever a module is first imported.
    """
    digest = hashlib.sha256()
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            path = Path(parent, name)
            digest.update(f"{path.relative_to(folder)}\0".encode(errors="surrogateescape"))
            if stat.S_ISREG(path.lstat().st_mode):
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _utf8(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise NotebookError(f"{name!r}: expected a file name in UTF-8") from None
    return name


def _read_regular(path: Path, limit_bytes: int) -> bytes:
    """The content of a file, which must be a regular one."""
    try:
        # Opened without following or waiting, then looked at: nobody can exchange it in between.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NotebookError(f"{path.name!r}: expected a regular file")
            content = file.read(max(limit_bytes, 0) + 1)
    except OSError as error:
        raise NotebookError(f"{path.name!r}: cannot be read ({error.strerror})") from error
    if len(content) > limit_bytes:
        raise NotebookError(
            f"{path.name!r}: larger than the {max(limit_bytes, 0) / MIB:.0f} MiB that are left for files beside the "
            "notebook (limits.message_mib for one, half of limits.disk_mib for all)"
        )
    return content
