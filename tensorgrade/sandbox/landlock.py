"""Says once more, inside the worker, which files may be opened and which may be written (Landlock).

It holds where a hole in the view of bubblewrap, a mount too many or a container without namespaces
would show more. What it does not know of: `stat`, `chmod`, `utime` and `connect` to a socket that has
a path; under `pod`, where nothing else hides those files, `system_calls` denies what could change them.

Source: landlock(7); the kernel's *Landlock: unprivileged access control*.
"""

from __future__ import annotations

import ctypes
import errno
import os
from dataclasses import dataclass
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # equal on all architectures
ASK_VERSION = 1
RULE_PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
ACCESS_BY_VERSION = {1: (1 << 13) - 1, 2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}
CONNECT_AND_BIND_TCP, NETWORK_VERSION = 0b11, 4
ABSTRACT_SOCKETS_AND_SIGNALS, SCOPE_VERSION = 0b11, 6
TRUNCATE_VERSION = 3

READ = READ_FILE | READ_DIR
RUN = READ | EXECUTE
USE = READ | WRITE_FILE | TRUNCATE | IOCTL_DEV  # a device; nothing can be made beside it
CHANGE = (1 << 16) - 1
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # the others are rights in a folder

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Allowed:
    """A file, or a folder with all below it, and what may be done there."""

    path: str
    access: int


class _Ruleset(ctypes.Structure):
    _fields_ = (("access_fs", ctypes.c_uint64), ("access_net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """The version of Landlock that this kernel has; 0 for none."""
    found: int = _libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION)
    return max(found, 0)


def restrict(allowed: tuple[Allowed, ...]) -> None:
    """Deny this process and all that it will start every file but these.

    With version 4 also every TCP port, with version 6 abstract sockets and signals to any process
    outside. It needs no_new_privs, and cannot be taken back (ref: landlock(7); test: proc, course, siblings).

    Args:
        allowed: a place that does not exist is left out.

    Raises:
        OSError: the kernel refuses; the worker must not go on.
    """
    handled = _handled(version())
    size = 24 if handled.scoped else 16 if handled.access_net else 8
    ruleset = _call(CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(size), 0)
    try:
        for one in allowed:
            _allow(ruleset, one, handled.access_fs)
        _call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _handled(known: int) -> _Ruleset:
    if known < 1:
        raise OSError(errno.ENOSYS, "Landlock: the kernel has none")
    access = sum(bits for since, bits in ACCESS_BY_VERSION.items() if since <= known)
    network = CONNECT_AND_BIND_TCP if known >= NETWORK_VERSION else 0
    return _Ruleset(access, network, ABSTRACT_SOCKETS_AND_SIGNALS if known >= SCOPE_VERSION else 0)


def _allow(ruleset: int, one: Allowed, handled: int) -> None:
    try:
        place = os.open(one.path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        access = one.access & handled & (-1 if Path(one.path).is_dir() else OF_A_FILE)
        _call(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(_PathBeneath(access, place)), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return result
