"""Holds all processes of a worker together to its limits, where the machine lends a control group.

The limits of `rlimits` are for each process, and `process` adds them up from outside, twenty times a
second. In a group the kernel does both, at once: memory and files in it, processes, cores.

Source: cgroups(7); the kernel's *Control Group v2* and *Memory Resource Controller* (version 1);
systemd, *Control Group APIs and Delegation*.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tensorgrade.limits import MIB, Limits

MOUNT = Path("/sys/fs/cgroup")
CONTROLLERS = ("memory", "pids", "cpu")
PERIOD = 100_000  # microseconds over which cores are counted; the kernel's own default
CORES = 1  # budgets are CPU seconds of one thread; more would be taken from the submission beside
NAME = "tensorgrade-{}-{}"  # the grader's process id, letters that no other template of that process has drawn
OWN = "tensorgrade-grader"
TRIES, SECONDS_BETWEEN_TRIES = 20, 0.01


@dataclass(frozen=True)
class Lent:
    """Where this process may make groups.

    Attributes:
        folders: one for version 2, one for each controller of version 1; empty if there is none.
        version: of the control groups.
        reason: why there is none.
    """

    folders: tuple[Path, ...] = ()
    version: int = 2
    reason: str = ""

    def confine(self, process: int, limits: Limits, inherited_bytes: int) -> Group | None:
        """Put a process, and with it all that it will start, into a new group.

        Args:
            process: a worker in which no code of a student's has run.
            limits: its memory, disk and processes.
            inherited_bytes: what it has from the template; a page that it changes counts as its own.

        Raises:
            OSError: the kernel refused a limit; the worker must not go on.
        """
        if not self.folders:
            return None
        wanted = _limits(self.version, limits, inherited_bytes)
        name = NAME.format(os.getpid(), secrets.token_hex(8))
        group = Group(tuple(folder / name for folder in self.folders))
        try:
            for folder in group.folders:
                folder.mkdir()
                for file, value in wanted.items():
                    if (folder / file).exists():
                        write(folder / file, value)
                write(folder / "cgroup.procs", str(process))
        except OSError:
            group.end()
            raise
        return group


@dataclass(frozen=True)
class Group:
    """The group of one worker; with version 1 a folder for each controller."""

    folders: tuple[Path, ...]

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel has killed a process in it for its limit of memory."""
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError):
                lines = (self.folders[0] / name).read_text().splitlines()
                return any(line.startswith("oom_kill ") and line != "oom_kill 0" for line in lines)
        return False

    def end(self) -> None:
        """Kill what is left in it, and remove it. One that is not empty yet is removed by the next run."""
        for folder in self.folders:
            with contextlib.suppress(OSError):  # version 1, and Linux before 5.14, have no such file
                write(folder / "cgroup.kill", "1")
            for _ in range(TRIES):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(SECONDS_BETWEEN_TRIES)
                else:
                    break


def find(mount: Path = MOUNT, membership: str | None = None) -> Lent:
    """Where this process may make groups for its workers; of version 2 only what was handed over to it.

    Args:
        mount: where the control groups are.
        membership: this process's /proc/self/cgroup.
    """
    membership = Path("/proc/self/cgroup").read_text() if membership is None else membership
    own = {names: path for _, names, path in (line.split(":", 2) for line in membership.splitlines())}
    lent = _version_2(mount, own[""]) if (mount / "cgroup.controllers").exists() else _version_1(mount, own)
    for folder in lent.folders:
        _sweep(folder)
    return lent


def _version_2(mount: Path, own: str) -> Lent:
    base = mount / own.strip("/")
    base = base.parent if base.name == OWN else base
    if not is_delegated(base):
        return Lent(reason=f"{base} was not handed over (systemd: Delegate=yes)")
    try:
        move_processes(base, base / OWN)
        write(base / "cgroup.subtree_control", " ".join(f"+{name}" for name in CONTROLLERS))
    except OSError as error:
        return Lent(reason=f"{base}: no groups with {', '.join(CONTROLLERS)} there: {error.strerror}")
    return Lent((base,))


def _version_1(mount: Path, own: Mapping[str, str]) -> Lent:
    folders = []
    for controller in CONTROLLERS:
        path = next((path for names, path in own.items() if controller in names.split(",")), None)
        folder = mount / controller / (path or "").strip("/")
        if path is None or not os.access(folder, os.W_OK):
            return Lent(version=1, reason=f"{folder} cannot be written")
        folders.append(folder)
    return Lent(tuple(folders), version=1)


def _limits(version: int, limits: Limits, inherited_bytes: int) -> dict[str, str]:
    """By file of the kernel, what is written there; stops many processes, each below its limit (test: together)."""
    memory = str(inherited_bytes + (limits.memory_mib + limits.disk_mib) * MIB)  # files of a tmpfs are memory too
    if version == 2:
        return {
            "memory.max": memory,
            "memory.swap.max": "0",  # swap would be memory beyond the limit
            "memory.oom.group": "1",
            "pids.max": str(limits.processes),
            "cpu.max": f"{CORES * PERIOD} {PERIOD}",
        }
    return {
        "memory.limit_in_bytes": memory,
        "memory.memsw.limit_in_bytes": memory,
        "pids.max": str(limits.processes),
        "cpu.cfs_period_us": str(PERIOD),
        "cpu.cfs_quota_us": str(CORES * PERIOD),
    }


def _sweep(folder: Path) -> None:
    """Remove the groups of graders that were killed."""
    for group in folder.glob(NAME.format("*", "*")):
        grader = group.name.split("-")[1]
        if grader.isdigit() and not Path("/proc", grader).exists():
            with contextlib.suppress(OSError):
                group.rmdir()


def is_delegated(group: Path) -> bool:
    """Whether systemd, or whoever does its work, has left this group to the processes in it."""
    for name in ("trusted.delegate", "user.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(group, name) == b"1":
                return True
    return False


def move_processes(group: Path, into: Path) -> None:
    """A group that holds groups with limits must hold no process itself ("no internal processes")."""
    into.mkdir(exist_ok=True)
    for process in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            write(into / "cgroup.procs", process)


def write(file: Path, text: str) -> None:
    """Write to a file that the kernel has made."""
    with file.open("r+") as opened:
        opened.write(text)
