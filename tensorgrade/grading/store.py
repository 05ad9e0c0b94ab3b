"""Where results that are dear to compute lie between two gradings: trained weights, predictions."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from tensorgrade.course import Assignment, Submission
from tensorgrade.errors import StorageError, WireError
from tensorgrade.wire import decode, encode

MAX_NAME = 200  # characters; a file system takes 255 bytes


def read_kept(of: Assignment | Submission) -> dict[str, bytes]:
    """What the last grading of a submission, or of an assignment's reference, kept; a damaged file is no file."""
    try:
        found = decode(_file(of).read_bytes())
    except (OSError, WireError):
        return {}
    return found if isinstance(found, dict) else {}


def write_kept(of: Assignment | Submission, kept: Mapping[str, bytes]) -> None:
    """Keep exactly this for the next grading; whole or not at all.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    try:
        _write(_file(of), kept)
    except OSError as error:
        raise StorageError.from_os(error) from error


def _write(file: Path, kept: Mapping[str, bytes]) -> None:
    if not kept:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, new = tempfile.mkstemp(dir=file.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(encode(dict(kept)))
        Path(new).replace(file)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise


def _file(of: Assignment | Submission) -> Path:
    assignment = of if isinstance(of, Assignment) else of.assignment
    folder = assignment.course.root / ".tensorgrade" / "kept" / assignment.name
    if isinstance(of, Assignment):
        return folder / "reference"
    name = quote(os.fsencode(of.student), safe="")  # a name may hold anything
    if len(name) > MAX_NAME:
        name = f"+{hashlib.sha256(name.encode()).hexdigest()}"  # no quoted name begins so
    return folder / "submissions" / f"{name}.kept"
