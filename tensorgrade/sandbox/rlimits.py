"""What the kernel counts for each process of a worker. Runs inside the sandbox."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

from tensorgrade.limits import MIB, Limits


def apply_rlimits(limits: Limits, *, alone: bool) -> None:
    """Set the limits of this process and of all it will fork; they cannot be raised again.

    Args:
        limits: what the worker may use.
        alone: whether it has a user namespace of its own, in which its processes are counted.

    Raises:
        OSError, ValueError: the kernel refused one; the worker must not go on.

    Source: setrlimit(2).
    """
    for kind, value in _wanted(limits, 0 if alone else _threads_of(os.getuid())):
        resource.setrlimit(kind, (value, value))


def _wanted(limits: Limits, threads_before: int) -> list[tuple[int, int]]:
    return [
        (resource.RLIMIT_AS, _address_space_bytes() + limits.memory_mib * MIB),  # memory exhaustion (test: memory)
        (resource.RLIMIT_NPROC, threads_before + limits.processes),  # fork bomb (test: processes)
        (resource.RLIMIT_NOFILE, limits.open_files),  # descriptor exhaustion (test: open_files)
        (resource.RLIMIT_FSIZE, limits.disk_mib * MIB),  # one huge file (test: big_file)
        (resource.RLIMIT_CORE, 0),  # no memory image left behind
        (resource.RLIMIT_MEMLOCK, 0),  # no memory that cannot be reclaimed
        (resource.RLIMIT_MSGQUEUE, 0),  # no kernel memory in message queues
    ]


def _address_space_bytes() -> int:
    """The size of this process now: what it inherited from the template is not the student's."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _threads_of(user: int) -> int:
    """How many threads a user runs now."""
    count = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it ended meanwhile
                if folder.stat().st_uid == user:
                    count += (folder / "task").stat().st_nlink - 2  # a folder for each thread
    return count
