"""Closes the doors of the kernel that a notebook has no use for (seccomp).

The filter is a list of what is denied: torch, numpy and matplotlib use some 150 calls, and which ones
changes with each version. A denied call fails with an error that libraries know from other machines;
nothing is killed, because libraries probe. What the list does not know yet, because the kernel is newer
than the list, does not exist either.

Each reason ends with the test of `tests/test_layers.py` that proves the lines below it.

Source: seccomp(2), seccomp_rule_add(3); Docker's and Flatpak's default profiles for what is worth denying.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import pyseccomp

from tensorgrade.sandbox.namespaces import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    PR_SET_PDEATHSIG,
)

CLONE_THREAD, CLONE_NEWTIME = 0x10000, 0x80
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
NEW_NAMESPACES = (
    *(CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET),
    *(CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP, CLONE_NEWTIME),
)
# The first number that libseccomp 2.5.4 (Debian 12) has no name for, and one that no kernel has reached.
FIRST_UNKNOWN, BEYOND = 451, 600
BINARY_TREE = 2  # ref: SCMP_FLTATR_CTL_OPTIMIZE, seccomp_attr_set(3)


@dataclass(frozen=True)
class Denied:
    """Calls that fail, and why.

    Attributes:
        reason: what they would open, the manual page, the test.
        calls: their names, with spaces; one that an architecture does not have is skipped.
        error: what they fail with.
    """

    reason: str
    calls: str
    error: int = errno.EPERM


DENIED = (
    Denied(
        "io_uring does the work of other calls where no filter sees them; many holes of recent years "
        "(ref: io_uring(7), CVE-2023-2598; test: io_uring)",
        "io_uring_setup io_uring_enter io_uring_register",
        errno.ENOSYS,
    ),
    Denied(
        "reading or changing the memory, the descriptors and the files of another process "
        "(ref: ptrace(2), process_vm_readv(2), pidfd_getfd(2), kcmp(2); test: ptrace)",
        "ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd kcmp",
    ),
    Denied(
        "programs of one's own inside the kernel, and a view of what the machine does "
        "(ref: bpf(2), perf_event_open(2); test: bpf, perf)",
        "bpf perf_event_open",
    ),
    Denied(
        "stopping the kernel in the middle of a copy, which turns small holes into large ones "
        "(ref: userfaultfd(2); test: userfaultfd)",
        "userfaultfd",
    ),
    Denied(
        "keys stay in the kernel after their process: a message for the next submission "
        "(ref: keyctl(2); test: keyring)",
        "keyctl add_key request_key",
        errno.ENOSYS,
    ),
    Denied(
        "the same by shared memory and queues; in a container without namespaces everybody's "
        "(ref: sysvipc(7), mq_overview(7); test: shared_memory)",
        "shmget shmat msgget semget mq_open",
        errno.ENOSYS,
    ),
    Denied(
        "another view of the files (ref: mount(2), pivot_root(2), open_tree(2), fsopen(2); test: mount)",
        "mount umount umount2 pivot_root chroot move_mount open_tree mount_setattr fsopen fsconfig fsmount fspick",
    ),
    Denied(
        "files by number, past every folder that is not to be entered; a watch on all of a disk "
        "(ref: open_by_handle_at(2), CVE-2014-9357; fanotify_init(2); test: file_handles)",
        "open_by_handle_at name_to_handle_at fanotify_init",
    ),
    Denied(
        "new namespaces give all powers over themselves, and so reach code of the kernel that is for root alone "
        "(ref: unshare(2), setns(2), CVE-2022-0185; test: new_namespaces)",
        "unshare setns",
    ),
    Denied(
        "its flags lie in memory, where no filter sees them; libraries fall back on clone "
        "(ref: clone3(2); test: new_namespaces)",
        "clone3",
        errno.ENOSYS,
    ),
    Denied(
        "another kernel, modules, the machine's clock, name, swap, log and accounts: root's business in any case "
        "(ref: kexec_load(2), init_module(2), settimeofday(2), syslog(2); test: machine)",
        "kexec_load kexec_file_load init_module finit_module delete_module reboot swapon swapoff acct syslog "
        "quotactl quotactl_fd nfsservctl vhangup settimeofday clock_settime clock_adjtime adjtimex stime "
        "sethostname setdomainname ioperm iopl lookup_dcookie uselib _sysctl sysfs ustat",
    ),
    Denied(
        "old corners for other systems' programs, and segments of memory, with holes of their own "
        "(ref: personality(2), modify_ldt(2); test: machine)",
        "personality modify_ldt vm86 vm86old",
    ),
    Denied(
        "memory moved between nodes, also that of another process (ref: move_pages(2); test: machine)",
        "move_pages migrate_pages mbind set_mempolicy set_mempolicy_home_node",
    ),
)

# Where no namespace hides the machine's files and processes, and Landlock does not know of these calls.
DENIED_WITHOUT_NAMESPACES = (
    Denied(
        "a submission's only process ends with it; a child could stay, and change what comes later "
        "(ref: fork(2); test: stays_behind)",
        "fork vfork",
        errno.EAGAIN,  # as at the limit of processes
    ),
    Denied(
        "sockets that have a path are not files to Landlock: the container's other services, a database, docker "
        "(ref: unix(7), landlock(7); test: unix_socket)",
        "socket",
        errno.EAFNOSUPPORT,
    ),
    Denied(
        "rights, owner and times of files need no opening: of the course, of Python's packages "
        "(ref: chmod(2), chown(2), utimensat(2), setxattr(2); test: change_of_rights)",
        "chmod fchmod fchmodat chown fchown lchown fchownat utime utimes futimesat utimensat setxattr "
        "lsetxattr fsetxattr removexattr lremovexattr fremovexattr",
    ),
    Denied(
        "names of the files that others open (ref: inotify(7); test: change_of_rights)",
        "inotify_init inotify_init1 inotify_add_watch",
    ),
)
# Their first argument is a process: this one, or another of the same user.
SIGNALS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
# The same by way of a descriptor: its owner gets a signal when there is something to read, SIGKILL if it was asked for.
OWNER_BY_FCNTL = (8, 15)  # F_SETOWN, F_SETOWN_EX
OWNER_BY_IOCTL = (0x8901, 0x8902)  # FIOSETOWN, SIOCSPGRP
SETTINGS = ("prlimit64", "sched_setaffinity", "sched_setparam", "sched_setscheduler", "sched_setattr", "setpgid")


class SystemCalls:
    """The filter for a worker.

    Args:
        one_process: whether there are no namespaces, so that one process has to be enough.
    """

    def __init__(self, *, one_process: bool) -> None:
        self._one_process = one_process

    def apply(self, process: int) -> None:
        """Put the filter on this process, for good, and on all that it will start.

        Args:
            process: this process's id; without namespaces it may signal no other.

        Raises:
            OSError: the kernel refused; the worker must not go on.
        """
        filter_ = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
        filter_.set_attr(pyseccomp.Attr.CTL_OPTIMIZE, BINARY_TREE)
        _deny_all(filter_, DENIED)
        _deny_by_argument(filter_)
        for number in range(FIRST_UNKNOWN, BEYOND):  # (ref: syscalls(2); test: newer)
            filter_.add_rule(pyseccomp.ERRNO(errno.ENOSYS), number)
        if self._one_process:
            _deny_all(filter_, DENIED_WITHOUT_NAMESPACES)
            _deny_other_processes(filter_, process)
        else:
            # Only sockets between its own processes: no AF_VSOCK, which no namespace cuts off; no AF_ALG, AF_PACKET,
            # AF_NETLINK ..., whose code is rarely looked at (ref: address_families(7); test: sockets).
            family = pyseccomp.Arg(0, pyseccomp.NE, socket.AF_UNIX)
            filter_.add_rule(pyseccomp.ERRNO(errno.EAFNOSUPPORT), "socket", family)
        filter_.load()


def _deny_all(filter_: pyseccomp.SyscallFilter, lines: Iterable[Denied]) -> None:
    for line in lines:
        for call in line.calls.split():
            if pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, call) >= 0:
                filter_.add_rule(pyseccomp.ERRNO(line.error), call)


def _deny_by_argument(filter_: pyseccomp.SyscallFilter) -> None:
    def deny(call: str, argument: int, value: int, mask: int = 0xFFFFFFFF) -> None:
        equal = pyseccomp.Arg(argument, pyseccomp.MASKED_EQ, mask, value)
        filter_.add_rule(pyseccomp.ERRNO(errno.EPERM), call, equal)

    for flag in NEW_NAMESPACES:
        deny("clone", 0, flag, mask=flag)  # as unshare (ref: clone(2); test: new_namespaces)
    deny("ioctl", 1, TIOCSTI)  # typing into somebody's terminal (ref: ioctl_tty(2), CVE-2017-5226; test: terminal)
    deny("ioctl", 1, TIOCLINUX)
    deny("prctl", 0, PR_SET_PDEATHSIG)  # outliving the grader (ref: prctl(2); test: outlives)


def _deny_other_processes(filter_: pyseccomp.SyscallFilter, process: int) -> None:
    """Nothing but itself: threads may be started, processes not (ref: clone(2), kill(2); test: signals)."""
    no_thread = pyseccomp.Arg(0, pyseccomp.MASKED_EQ, CLONE_THREAD, 0)
    filter_.add_rule(pyseccomp.ERRNO(errno.EAGAIN), "clone", no_thread)
    filter_.add_rule(pyseccomp.ERRNO(errno.EPERM), "pidfd_send_signal")
    for call in SIGNALS:
        filter_.add_rule(pyseccomp.ERRNO(errno.EPERM), call, pyseccomp.Arg(0, pyseccomp.NE, process))
    # Landlock keeps such a signal back since Linux 6.12 (ref: fcntl(2), landlock(7); test: owner).
    for call, requests in (("fcntl", OWNER_BY_FCNTL), ("ioctl", OWNER_BY_IOCTL)):
        for request in requests:
            equal = pyseccomp.Arg(1, pyseccomp.MASKED_EQ, 0xFFFFFFFF, request)
            filter_.add_rule(pyseccomp.ERRNO(errno.EPERM), call, equal)
    for call in SETTINGS:  # 0 is the caller
        filter_.add_rule(pyseccomp.ERRNO(errno.EPERM), call, pyseccomp.Arg(0, pyseccomp.NE, 0))
    for call in ("setpriority", "ioprio_set"):  # the process is their second argument
        filter_.add_rule(pyseccomp.ERRNO(errno.EPERM), call, pyseccomp.Arg(1, pyseccomp.NE, 0))
