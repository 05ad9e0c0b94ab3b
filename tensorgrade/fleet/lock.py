"""Keeps two graders off one course."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tensorgrade.course import Course
from tensorgrade.errors import CourseBusy

LOOKS, SECONDS_BETWEEN_LOOKS = 5, 0.05


@contextmanager
def course_lock(course: Course, command: str, *, wait: bool = False) -> Iterator[None]:
    """Be the only one who grades in this course.

    The kernel ends the lock with its process, however that ends (ref: flock(2)): what a killed one
    left in the file is no obstacle.

    Args:
        course: what to lock.
        command: what others are told this process is doing.
        wait: wait for the other one instead of giving up.

    Raises:
        CourseBusy: another process has it; says which, since when and what to do.
    """
    path = _path(course)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _acquired(descriptor, wait=wait):
            raise CourseBusy(_who(course, path))
        holder = {"process": os.getpid(), "host": socket.gethostname(), "since": time.time(), "command": command}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def require_free(course: Course) -> None:
    """Refuse while another process grades.

    Raises:
        CourseBusy: as `course_lock`.
    """
    path = _path(course)
    if not path.is_file():
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CourseBusy(_who(course, path)) from None
    finally:
        os.close(descriptor)


def _acquired(descriptor: int, *, wait: bool) -> bool:
    for _ in range(LOOKS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            return True
        except BlockingIOError:
            time.sleep(SECONDS_BETWEEN_LOOKS)  # `require_free` has it for a moment
    return False


def _path(course: Course) -> Path:
    return course.root / ".tensorgrade" / "grading.lock"


def _who(course: Course, path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(holder["since"]))
        process, host, command = int(holder["process"]), str(holder["host"]), str(holder["command"])
    except (OSError, ValueError, KeyError, TypeError):  # it has only just started
        return f"{course.root}: another process is grading here. Wait until it ends, then run this again."
    on = "" if host == socket.gethostname() else f" on {host}"
    return (
        f"{course.root}: process {process}{on} ({command}) has been grading here since {since}. "
        f"Wait until it ends, or stop it with `kill {process}`{on}; what it has graded stays."
    )
