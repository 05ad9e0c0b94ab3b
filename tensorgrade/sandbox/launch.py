"""Starts bubblewrap as an unprivileged user, also when the grader runs as root.

Run as a program: ``python launch.py UID OUTSIDE=INSIDE... -- bwrap ...``. It is a process of its own
because it changes its mounts and its user.

`bwrap --uid` alone only renames root: such a sandbox read /etc/shadow and ignored the process limit.
An unprivileged user in turn may not be able to reach the interpreter (a folder below /root), so the
folders are first bound to neutral places that only this process and its children see.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWNS = 0x20000
MS_NOSUID, MS_BIND, MS_REC, MS_PRIVATE = 2, 0x1000, 0x4000, 0x40000
STAGE = Path("/mnt")

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> None:
    """Bind, become the user, run the command."""
    split = arguments.index("--")
    uid, binds, command = int(arguments[0]), arguments[1:split], arguments[split + 1 :]
    if _libc.unshare(CLONE_NEWNS) != 0:  # ref: unshare(2)
        raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNS)")
    _mount("none", "/", None, MS_REC | MS_PRIVATE)  # nothing of this shows outside
    _mount("tmpfs", str(STAGE), "tmpfs", MS_NOSUID, "mode=755,size=1m")
    for bind in binds:
        outside, inside = bind.split("=", 1)
        _bind(Path(outside), Path(inside))
    os.setgroups([])  # no group of root's (docker, shadow) stays
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)  # clears every capability too (ref: capabilities(7))
    os.execv(command[0], command)  # noqa: S606 - no shell, an argument list


def _bind(outside: Path, inside: Path) -> None:
    if outside.is_dir():
        inside.mkdir(parents=True, exist_ok=True)
    else:
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.touch()
    _mount(str(outside), str(inside), None, MS_BIND)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    kind_bytes = kind.encode() if kind else None
    result = _libc.mount(source.encode(), target.encode(), kind_bytes, ctypes.c_ulong(flags), options.encode())
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"mount {target}: {os.strerror(error)}")


if __name__ == "__main__":
    main(sys.argv[1:])
