"""The room in which one person's server runs: own home, own processes, the machine's programs to read.

On one machine everybody's code runs side by side. Each server sees its own home, an empty /tmp and
its own processes, nothing of the other people's; as root it also runs under a uid of its own.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import sys
from pathlib import Path

from tensorgrade.errors import UsageError
from tensorgrade.sandbox.files import find_bwrap

FIRST_UID, LAST_UID = 70_000, 99_999  # no account of the machine; 65,534 and below are distributions'
FOLDER = re.compile(r"[a-z0-9][a-z0-9_.@+-]{0,63}")
PROC = "nosuid,nodev,noexec"
SYSTEM = (
    "/usr",
    "/etc/ssl",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/mime.types",
    "/etc/localtime",
    "/etc/alternatives",
)


def home_of(user: str, homes: Path) -> Path:
    """A person's home, open to nobody else; it is made if there is none.

    Raises:
        UsageError: the name is no folder's name, or no uid is left.
    """
    if not FOLDER.fullmatch(user):
        raise UsageError(f"user {user!r}: expected small letters, digits and _ . @ + -")
    home = homes / user
    if not home.exists():
        uid = _next_uid(homes) if os.geteuid() == 0 else os.geteuid()
        home.mkdir(mode=0o700)
        os.chown(home, uid, uid if os.geteuid() == 0 else -1)
    return home


def room_command(
    home: Path,
    binds: tuple[Path, ...],
    writable: tuple[Path, ...] = (),
    groups: tuple[int, ...] = (),
    devices: tuple[Path, ...] = (),
) -> list[str]:
    """What stands before a command so that it runs in the room; it inherits the environment.

    Args:
        home: the person's; its owner is the uid to run under, if the hub is root.
        binds: more folders to read, such as the settings of the person's role.
        writable: folders that are shared with others, such as a course's.
        groups: gids that open those folders, if the hub is root.
        devices: nodes in /dev of the GPUs that the server has. No other is there, and the room cannot make
            one: it has no capability (ref: mknod(2)).

    Source: bwrap(1), setpriv(1).
    """
    return [
        find_bwrap(),
        # Not the network: there is the hub.
        "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "hub",
        *([] if os.geteuid() == 0 else ["--unshare-user"]),
        *_system(devices),
        *_folders(home, binds, writable),
        "--chdir", str(home),
        *_first_steps(home.stat().st_uid, groups),
    ]  # fmt: skip


def _system(devices: tuple[Path, ...]) -> list[str]:
    """The machine's programs, an empty /tmp, and the room's own /proc and /dev."""
    # bubblewrap would cover parts of /proc, and then no sandbox inside the room could have one of its own.
    proc = ["--perms", "0555", "--dir", "/proc"] if os.geteuid() == 0 else ["--proc", "/proc"]
    return [
        "--perms", "0755", "--dir", "/etc",
        *(word for path in SYSTEM for word in ("--ro-bind-try", path, path)),
        *_links(),
        "--perms", "1777", "--tmpfs", "/tmp",  # noqa: S108 - the room's own
        *proc,
        "--dev", "/dev",
        *(word for device in devices for word in ("--dev-bind", str(device), str(device))),
    ]  # fmt: skip


def _folders(home: Path, binds: tuple[Path, ...], writable: tuple[Path, ...]) -> list[str]:
    """Python and what else is read there, the person's home, and what is shared."""
    readable = dict.fromkeys([Path(sys.prefix), Path(sys.base_prefix), *_editable(), *binds])
    return [
        *_parents([*readable, *writable, home]),
        *(word for path in readable for word in ("--ro-bind", str(path), str(path))),
        *(word for path in (home, *writable) for word in ("--bind", str(path), str(path))),
    ]


def _first_steps(uid: int, groups: tuple[int, ...]) -> list[str]:
    """What happens in the room before the command: what root alone can do, then root's rights are given away."""
    start = "umask 007"  # what people write in a shared folder is for its group, and for nobody else
    if os.geteuid() != 0:
        return ["/bin/sh", "-c", f'{start} && exec "$@"', "sh"]
    more = ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
    return [
        "/bin/sh", "-c", f'{start} && mount -t proc -o {PROC} proc /proc && exec "$@"', "sh",
        find_setpriv(), "--reuid", str(uid), "--regid", str(uid), *more,
        "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--",
    ]  # fmt: skip


def _next_uid(homes: Path) -> int:
    """A uid that owns no home yet."""
    taken = {folder.stat().st_uid for folder in homes.iterdir()}
    taken |= {account.pw_uid for account in pwd.getpwall()}
    uid = next((uid for uid in range(FIRST_UID, LAST_UID + 1) if uid not in taken), None)
    if uid is None:
        raise UsageError(f"{homes}: the uids from {FIRST_UID} to {LAST_UID} are used up")
    return uid


def find_setpriv() -> str:
    """The program that gives rights away, and says who dies with whom (ref: setpriv(1))."""
    path = shutil.which("setpriv", path="/usr/bin:/bin")
    if path is None:
        raise UsageError("setpriv is missing: it is a part of util-linux")
    return path


def _links() -> list[str]:
    """/bin, /lib and the like, as they are on this machine."""
    arguments: list[str] = []
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/") / name
        if path.is_symlink():
            arguments += ["--symlink", f"usr/{name}", str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    return arguments


def _parents(paths: list[Path]) -> list[str]:
    """The empty folders on the way to these, open to pass through; bubblewrap as root would close them."""
    folders = {parent for path in paths for parent in path.parents if parent != Path("/")}
    return [word for folder in sorted(folders) for word in ("--perms", "0755", "--dir", str(folder))]


def _editable() -> list[Path]:
    """Where this package lies, if it is installed from a checkout."""
    package = Path(__file__).parents[1]
    return [] if package.is_relative_to(sys.prefix) else [package]
