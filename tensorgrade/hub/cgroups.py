"""Holds each server to its cores, memory and processes, with the kernel's control groups (version 2)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tensorgrade.hub.profiles import Profile
from tensorgrade.sandbox.groups import is_delegated, move_processes, write

MOUNT = Path("/sys/fs/cgroup")
CONTROLLERS = "+cpu +memory +pids"
PERIOD = 100_000  # microseconds over which cores are counted; the kernel's own default
PROCESSES = 2048  # and threads: Jupyter, a few kernels and their data loaders need some hundreds
GIB = 2**30
SERVER = "server-{}"  # so that no user's name is one of the kernel's files


@dataclass(frozen=True)
class Enforcement:
    """Whether this machine holds servers to their limits.

    Attributes:
        folder: where each server gets a group; None if the hub may not make any.
        reason: why not.
    """

    folder: Path | None
    reason: str = ""


@cache
def enforcement() -> Enforcement:
    """What this machine can do; the hub moves into a group of its own on the way, if systemd gave it one."""
    return prepare_groups(MOUNT, Path("/proc/self/cgroup").read_text())


def prepare_groups(mount: Path, membership: str) -> Enforcement:
    """Make the folder of the servers' groups.

    It lies in the hub's own group where systemd has handed that over (``Delegate=yes``), else at the top.

    Args:
        mount: where version 2 of the control groups is mounted.
        membership: the hub's /proc/self/cgroup.

    Source: cgroups(7), "no internal processes"; systemd, *Control Group APIs and Delegation*.
    """
    if not (mount / "cgroup.controllers").exists():
        return Enforcement(None, f"{mount} is not version 2 of the control groups")
    own = next((line[3:].strip("/") for line in membership.splitlines() if line.startswith("0::")), "")
    base = mount / own if is_delegated(mount / own) else mount
    try:
        if base != mount:
            move_processes(base, base / "hub")
        for folder in (base, base / "tensorgrade-servers"):
            folder.mkdir(exist_ok=True)
            (folder / "cgroup.subtree_control").write_text(CONTROLLERS)
    except OSError as error:
        return Enforcement(None, f"{base}: no groups with {CONTROLLERS} there: {error.strerror}")
    return Enforcement(base / "tensorgrade-servers")


def limit_server(folder: Path, user: str, profile: Profile) -> Path:
    """Make the group of a person's server, with the limits of the profile.

    Args:
        folder: where servers' groups are.
        user: whose; a name that a folder can have.
        profile: cores, and memory with what lies in /tmp and /dev/shm.

    Raises:
        OSError: the kernel takes a limit back. The server must not start then.
    """
    group = folder / SERVER.format(user)
    group.mkdir(exist_ok=True)
    (group / "cpu.max").write_text(f"{profile.cores * PERIOD} {PERIOD}")
    (group / "memory.max").write_text(str(round(profile.memory_gib * GIB)))
    if (group / "memory.swap.max").exists():  # swap would be memory beyond the limit
        (group / "memory.swap.max").write_text("0")
    (group / "pids.max").write_text(str(PROCESSES))
    return group


def entering(group: Path) -> Callable[[], None]:
    """What a new process does before anything else, so that it and all it starts are in the group."""
    return lambda: write(group / "cgroup.procs", "0")


def end_group(folder: Path, user: str) -> bool:
    """Kill what is left of a person's server and remove its group; false while something has not ended yet."""
    group = folder / SERVER.format(user)
    with contextlib.suppress(OSError):  # Linux before 5.14 has no such file, and the room has been killed before
        write(group / "cgroup.kill", "1")
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
