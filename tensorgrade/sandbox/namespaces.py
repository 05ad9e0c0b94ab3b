"""Gives a worker its own view of the system and takes its powers away. Runs inside the sandbox.

The order matters: namespaces, then mounts (which need power over them), then the end of all power.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
from pathlib import Path

from tensorgrade.limits import Limits

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
OWN_NAMESPACES = (
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP
)
CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID = 0x200000, 0x1000000
CLONE3_NUMBER = 435  # on every architecture
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS = 1, 24, 38, 40
LAST_CAPABILITY = 63
KEYCTL_JOIN_SESSION_KEYRING = 1
KEYCTL_NUMBERS = {"x86_64": 250, "aarch64": 219}
CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)
_libc_locked = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock: a child has nobody to give it back


def die_with_parent() -> None:
    """Be killed when the parent ends, however it ends (ref: prctl(2))."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")


def fork_into_namespaces() -> int:
    """Fork, as `os.fork` does; the child is the first process of namespaces of its own and has yet to `settle_in`.

    Stops: seeing, signalling or tracing the template or another submission, shared memory and
    sockets between submissions, the network (ref: namespaces(7), user_namespaces(7);
    test: leftovers, siblings, abstract).

    With unshare(2) it takes two forks, and each copies the page tables of all that the template holds.
    The kernel call itself runs no handler of pthread_atfork(3), so this process must have one thread only.

    Raises:
        OSError: the kernel refused, or there are more threads.

    Source: clone(2) on clone3 and its structure; Python's C API, "PyOS_BeforeFork".
    """
    if Path("/proc/self/task").stat().st_nlink > 3:  # a folder for each thread, and the two that every folder has
        raise OSError("expected a process with one thread to fork from, got more")
    thread_id = ctypes.c_uint64()  # the address at which the C library has this thread's; the child's is another
    _check(_libc.prctl(PR_GET_TID_ADDRESS, ctypes.byref(thread_id), 0, 0, 0), "prctl(PR_GET_TID_ADDRESS)")
    flags = OWN_NAMESPACES | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID
    # flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls
    wanted = (ctypes.c_uint64 * 8)(flags, 0, thread_id.value, 0, signal.SIGCHLD, 0, 0, 0)
    ctypes.pythonapi.PyOS_BeforeFork()
    child: int = _libc_locked.syscall(CLONE3_NUMBER, wanted, ctypes.sizeof(wanted))
    refused = ctypes.get_errno()
    if child == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if child < 0:
        full = refused == errno.ENOSPC  # that has nothing to do with a disk (ref: clone(2))
        reason = "no more namespaces are allowed, see /proc/sys/user" if full else os.strerror(refused)
        raise OSError(refused, f"clone3: {reason}")
    return child


def settle_in(uid: int, gid: int) -> None:
    """Be the same user in the new namespaces as outside, and keep what is mounted from now on to oneself.

    Args:
        uid: the user's number before the fork; this process cannot ask for it before it is settled.
        gid: the group's.

    Raises:
        OSError: the kernel refused.

    Source: user_namespaces(7), mount_namespaces(7).
    """
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def join_new_keyring() -> None:
    """Leave the session keyring that was inherited (ref: keyctl(2), session-keyring(7)).

    Stops: a submission that stores what it saw in the kernel, for the next one to read.
    """
    number = KEYCTL_NUMBERS.get(platform.machine())
    if number is None:
        raise OSError(f"the number of the system call keyctl on {platform.machine()} is not known")
    if _libc.syscall(number, KEYCTL_JOIN_SESSION_KEYRING, None) == -1:
        error = ctypes.get_errno()
        if error not in (errno.ENOSYS, errno.EPERM):  # without the call, or without leave, there is no keyring
            raise OSError(error, f"keyctl: {os.strerror(error)}")


def mount_own_folders(limits: Limits) -> None:
    """Mount an empty /tmp, /dev/shm, /submission and a /proc that shows this pid namespace only.

    Stops: leftovers of the submission before, a full disk, `/proc/<pid>/mem` of others (ref: mount(2)).
    """
    options = f"size={limits.disk_mib}m,nr_inodes=20000,mode=700"
    for folder in ("/tmp", "/dev/shm", "/submission"):  # noqa: S108 - inside the sandbox
        mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, options)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def seal(folder: str) -> None:
    """Make a folder read-only for good: what was handed in stays as it was."""
    mount("tmpfs", folder, None, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)


def drop_powers(*, in_own_namespace: bool) -> None:
    """Give up every capability, and every way to gain one (ref: capabilities(7), prctl(2)).

    Stops: mounting over what was just mounted, new user namespaces (a wide door to kernel bugs),
    set-uid programs (test: powers).

    Args:
        in_own_namespace: whether this process is root of a user namespace; others cannot drop
            their bounding set, which means nothing without new privileges.
    """
    if in_own_namespace:
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
    forbid_new_privileges()
    for capability in range(LAST_CAPABILITY + 1):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # EINVAL above the kernel's last one
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _check(_libc.capset(header, nothing), "capset")
    _check_powerless(("CapBnd",) if in_own_namespace else ())


def forbid_new_privileges() -> None:
    """No program that this process becomes gets more rights than it has (ref: prctl(2), no_new_privs)."""
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")


def _check_powerless(more: tuple[str, ...]) -> None:
    """Refuse to go on while the kernel still lists a capability."""
    status = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
    left = [name for name in ("CapInh", "CapPrm", "CapEff", "CapAmb", *more) if int(fields[name], 16)]
    if 0 in map(int, fields["Uid"].split()):
        left.append("the user root")  # files of root's need no capability
    if left or fields["NoNewPrivs"] != "1":
        raise PermissionError(f"capabilities left after dropping all: {left}")


def unshare(flags: int) -> None:
    """Enter new namespaces of the given kinds.

    Source: unshare(2).
    """
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Change what this process and its children see at a place.

    Raises:
        OSError: the kernel refused; names the place.

    Source: mount(2).
    """
    result = _libc.mount(
        source.encode(),
        target.encode(),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        options.encode(),
    )
    _check(result, f"mount {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
