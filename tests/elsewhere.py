"""Runs a command on a machine that is not quite this one: as another user, without user namespaces.

    python elsewhere.py [--user ID] [--no-namespaces] [--show FOLDER]... -- COMMAND...

As root it works in a mount namespace of its own, in which the folders shown are reached through no folder
that is closed to others. Without namespaces means what a container does: a filter that denies them.
"""

from __future__ import annotations

import argparse
import errno
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pyseccomp

ROOT = Path(__file__).parents[1]
CLONE_NEWUSER = 0x10000000


def main() -> None:
    """Change what the command will see, then become it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--user", type=int)
    parser.add_argument("--no-namespaces", action="store_true")
    parser.add_argument("--show", type=Path, action="append", default=[])
    parser.add_argument("command", nargs="+")
    wanted = parser.parse_args()
    if os.getuid() == 0:
        open_the_way([Path(sys.base_prefix), Path(sys.prefix), ROOT, *wanted.show])
        if wanted.user is not None:
            os.setgroups([])
            os.setresgid(wanted.user, wanted.user, wanted.user)
            os.setresuid(wanted.user, wanted.user, wanted.user)
    if wanted.no_namespaces:
        forbid_namespaces()
    os.execv(wanted.command[0], wanted.command)


def open_the_way(paths: list[Path]) -> None:
    """Mount an open folder over each closed one, with the paths in it at their places."""
    closed: dict[Path, list[Path]] = defaultdict(list)
    for path in dict.fromkeys(path.resolve() for path in paths):
        above = next((one for one in reversed(path.parents) if not one.stat().st_mode & 0o001), None)
        if above is not None:
            closed[above].append(path)
    mount("-t", "tmpfs", "none", "/mnt")
    for number, (above, below) in enumerate(closed.items()):
        for place, path in enumerate(below):
            kept = Path("/mnt", f"{number}-{place}")
            kept.mkdir()
            mount("--bind", str(path), str(kept))
        mount("-t", "tmpfs", "-o", "mode=755", "none", str(above))
        for place, path in enumerate(below):
            path.mkdir(parents=True, exist_ok=True)
            mount("--bind", f"/mnt/{number}-{place}", str(path))


def mount(*arguments: str) -> None:
    """Call the program of that name."""
    subprocess.run(["mount", *arguments], check=True)


def forbid_namespaces() -> None:
    """Deny what every container without privileges is denied."""
    filter_ = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    denied = pyseccomp.ERRNO(errno.EPERM)
    flags = [pyseccomp.Arg(0, pyseccomp.MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER)]
    for call in ("unshare", "setns", "mount"):
        filter_.add_rule(denied, call)
    filter_.add_rule(denied, "clone", *flags)
    filter_.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    filter_.load()


if __name__ == "__main__":
    main()
