"""Starts bubblewrap as an unprivileged user, also when the grader runs as root.

Run as ``python -m tensorgrade.sandbox.launch UID OUTSIDE=INSIDE... -- bwrap ...``. It is a process of its own
because it changes its mounts and its user. Without a folder to bind it changes its user only: a container that
forbids namespaces forbids mounts as well.

`bwrap --uid` alone only renames root: such a sandbox read /etc/shadow and ignored the process limit.
An unprivileged user in turn may not be able to reach the interpreter (a folder below /root), so the
folders are first bound to neutral places that only this process and its children see.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tensorgrade.sandbox.namespaces import CLONE_NEWNS, MS_BIND, MS_NOSUID, MS_PRIVATE, MS_REC, mount, unshare

STAGE = Path("/mnt")


def main(arguments: list[str]) -> None:
    """Bind, become the user, run the command."""
    split = arguments.index("--")
    uid, binds, command = int(arguments[0]), arguments[1:split], arguments[split + 1 :]
    os.umask(0o022)  # the user has to pass through the folders that are made now, whoever grades
    if binds:
        _stage(binds)
    os.setgroups([])  # no group of root's (docker, shadow) stays
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)  # clears every capability too (ref: capabilities(7))
    try:
        os.execv(command[0], command)  # noqa: S606 - no shell, an argument list
    except PermissionError:
        sys.exit(f"user {uid} may not run {command[0]}: let others read the folders above it")


def _stage(binds: list[str]) -> None:
    unshare(CLONE_NEWNS)
    mount("none", "/", None, MS_REC | MS_PRIVATE)  # nothing of this shows outside
    mount("tmpfs", str(STAGE), "tmpfs", MS_NOSUID, "mode=755,size=1m")
    for bind in binds:
        outside, inside = bind.split("=", 1)
        _bind(Path(outside), Path(inside))


def _bind(outside: Path, inside: Path) -> None:
    if outside.is_dir():
        inside.mkdir(parents=True, exist_ok=True)
    else:
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.touch()
    mount(str(outside), str(inside), None, MS_BIND)


if __name__ == "__main__":
    main(sys.argv[1:])
