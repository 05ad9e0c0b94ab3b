"""Tries what the layers are built on, each by itself: also where no level can be started at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tensorgrade.errors import SandboxError
from tensorgrade.limits import Limits
from tensorgrade.sandbox import groups, landlock, launch, namespaces
from tensorgrade.sandbox.files import find_bwrap
from tensorgrade.sandbox.template import SANDBOX_UID

FEW = Limits(processes=4)
SECONDS = 20


@dataclass(frozen=True)
class Mechanism:
    """One thing that the kernel, or a program, has to do for us.

    Attributes:
        name: for the table.
        works: whether it did.
        tried: how that was found out, and what was seen.
        mend: what to do where it does not.
        needed_by: the levels that are refused without it.
    """

    name: str
    works: bool
    tried: str
    mend: str
    needed_by: tuple[str, ...]


def try_mechanisms() -> tuple[Mechanism, ...]:
    """Try each; nothing is left behind."""
    return (_namespaces(), _landlock(), _system_calls(), _groups())


def _namespaces() -> Mechanism:
    mend = (
        "apt-get install bubblewrap; sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
        "kernel.apparmor_restrict_unprivileged_userns; in a container: --sandbox pod"
    )
    try:
        command = [find_bwrap(), "--unshare-all", "--ro-bind", "/", "/", "true"]
    except SandboxError:
        return Mechanism("bubblewrap, user namespaces", False, "bubblewrap is not installed", mend, ("strict",))
    if os.getuid() == 0:
        command = [sys.executable, "-I", "-m", launch.__name__, str(SANDBOX_UID), "--", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)  # noqa: S603
    said = (done.stderr.strip().splitlines() or ["started a program in namespaces of its own"])[-1]
    return Mechanism("bubblewrap, user namespaces", done.returncode == 0, said, mend, ("strict",))


def _landlock() -> Mechanism:
    def deny_all() -> bool:
        namespaces.forbid_new_privileges()
        landlock.restrict(())
        with contextlib.suppress(PermissionError):
            Path(sys.executable).open("rb").close()
            return False
        return True

    known = landlock.version()
    denied = known > 0 and _in_a_child(deny_all)
    tried = f"version {known}: denied a child all files, and it could open none" if denied else f"version {known}"
    mend = "Linux 6.2 or newer with landlock in the boot option lsm=; strict runs without, and reports say so"
    return Mechanism("Landlock", denied and known >= landlock.TRUNCATE_VERSION, tried, mend, ("pod",))


def _system_calls() -> Mechanism:
    mend = "apt-get install libseccomp2; a kernel with CONFIG_SECCOMP_FILTER"

    def close_doors() -> bool:
        from tensorgrade.sandbox.system_calls import SystemCalls

        SystemCalls(one_process=False).apply(os.getpid())
        libc = ctypes.CDLL(None, use_errno=True)
        refused = libc.unshare(namespaces.CLONE_NEWUSER) == -1 and ctypes.get_errno() == errno.EPERM
        try:
            socket.socket(socket.AF_INET).close()
        except OSError as error:
            return refused and error.errno == errno.EAFNOSUPPORT
        return False

    works = _in_a_child(close_doors)
    tried = "a child put the filter on itself, and its calls were refused" if works else "a child could not"
    return Mechanism("system-call filter", works, tried, mend, ("strict", "pod"))


def _groups() -> Mechanism:
    mend = "version 2: run with systemd's Delegate=yes; version 1: own folders below memory, pids and cpu"
    lent = groups.find()
    if not lent.folders:
        return Mechanism("control group", False, lent.reason, f"{mend}; the limits hold without, from outside", ())
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        group = lent.confine(child, FEW, 0)
        works = group is not None and all(str(child) in (one / "cgroup.procs").read_text() for one in group.folders)
        said = f"version {lent.version}: put a child into a group with limits"
    except OSError as error:
        group, works, said = None, False, str(error)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if group is not None:
        group.end()
    return Mechanism("control group", works, said, mend, ())


def _in_a_child(action: Callable[[], bool]) -> bool:
    """Whether an action that cannot be taken back works; it has a process of its own for that."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if action() else 1
        finally:
            os._exit(status)
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False
