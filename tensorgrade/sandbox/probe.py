"""Tries each boundary of the sandbox on this machine, by running code that tests it."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tensorgrade.errors import TensorgradeError, WorkerLost
from tensorgrade.limits import Limits
from tensorgrade.sandbox.levels import STRICT, Level
from tensorgrade.sandbox.process import Worker
from tensorgrade.sandbox.template import Template

LIMITS = Limits(check_cpu_seconds=2, cell_cpu_seconds=5, memory_mib=256, disk_mib=16, processes=16)


@dataclass(frozen=True)
class Boundary:
    """One thing that student code must not be able to do.

    Attributes:
        name: the boundary, for the table.
        attempt: Python that tries to cross it; it runs in a worker and sets ``crossed``.
        mend: what to do where the boundary does not hold.
    """

    name: str
    attempt: str
    mend: str


@dataclass(frozen=True)
class Finding:
    """What the attempt on one boundary showed."""

    boundary: str
    holds: bool
    seen: str
    mend: str


def try_boundaries(level: Level = STRICT) -> tuple[Finding, ...]:
    """Run every attempt in a worker of its own.

    Args:
        level: how the workers are confined.

    Raises:
        SandboxError: no worker can be started at all.
    """
    with Template(level) as template, _secret_file() as secret, _listener() as port:
        places = {"SECRET_FILE": str(secret), "PORT": str(port)}
        found = [_try(template, boundary, places) for boundary in BOUNDARIES]
        return (*found, _try_time_limit(template))


def _try(template: Template, boundary: Boundary, places: dict[str, str]) -> Finding:
    source = boundary.attempt
    for name, value in places.items():
        source = source.replace(name, value)
    worker = template.fork(LIMITS)
    try:
        seen = _run(worker, source)
    except TensorgradeError as error:
        return Finding(boundary.name, False, f"the attempt could not be made: {error}", boundary.mend)
    finally:
        worker.close()
    return Finding(boundary.name, not seen, str(seen or "refused")[:200], boundary.mend)


def _run(worker: Worker, source: str) -> object:
    worker.request(("begin",))
    worker.allow(LIMITS.cell_cpu_seconds)
    reply = worker.request(("run", 1, f"crossed = 'the attempt did not finish'\n{source}"))
    if reply[1] is not True:
        return f"the attempt raised: {reply[2]}"
    return worker.request(("get", "crossed"))[1]


def _try_time_limit(template: Template) -> Finding:
    worker = template.fork(LIMITS)
    try:
        worker.request(("begin",))
        worker.allow(0.3)
        worker.request(("run", 1, "while True: pass"))
    except WorkerLost as loss:
        return Finding("CPU time is limited from outside", loss.outcome == "TIMED_OUT", str(loss), "report a bug")
    finally:
        worker.close()
    return Finding("CPU time is limited from outside", False, "the loop ended", BUG)


class _secret_file:  # noqa: N801 - used as a context manager
    """A file on this machine that only its owner may read."""

    def __enter__(self) -> Path:
        descriptor, name = tempfile.mkstemp(prefix="tensorgrade-probe-")
        os.close(descriptor)
        self.path = Path(name)
        self.path.write_text("secret")
        return self.path

    def __exit__(self, *_: object) -> None:
        self.path.unlink()


class _listener:  # noqa: N801 - used as a context manager
    """A server on this machine's loopback address."""

    def __enter__(self) -> int:
        self.server = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=_accept, args=(self.server.accept,), daemon=True).start()
        port: int = self.server.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self.server.close()


def _accept(accept: Callable[[], object]) -> None:
    with contextlib.suppress(OSError):  # closed without a visitor, as it should be
        accept()


NAMESPACES = "allow user namespaces: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone"
BWRAP = "install bubblewrap 0.8 or newer"
BUG = "report a bug"

BOUNDARIES = (
    Boundary(
        "the network is cut off",
        """
import socket
try:
    socket.create_connection(("127.0.0.1", PORT), 2)
    crossed = "reached a local server"
except OSError:
    crossed = ""
""",
        NAMESPACES,
    ),
    Boundary(
        "files of this machine cannot be read",
        """
import os
crossed = ""
for place in ("SECRET_FILE", "/etc/shadow", "/root", "/home", "/var"):
    try:
        os.listdir(place) if os.path.isdir(place) else open(place).close()
        crossed += place + " "
    except OSError:
        pass
""",
        BWRAP,
    ),
    Boundary(
        "the system is read-only",
        """
crossed = ""
for folder in ("/", "/usr", "/dev", "/opt/python", "/opt/tensorgrade", "/submission"):
    try:
        open(folder + "/probe", "w")
        crossed += folder + " "
    except OSError:
        pass
""",
        BWRAP,
    ),
    Boundary(
        "other processes cannot be seen",
        """
import os
try:
    crossed = " ".join(name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())
except PermissionError:
    crossed = ""
""",
        NAMESPACES,
    ),
    Boundary(
        "no power is left: root, capabilities, set-uid, new namespaces",
        """
import ctypes, os
libc = ctypes.CDLL(None)
sets = (ctypes.c_uint32 * 6)()
libc.capget((ctypes.c_uint32 * 2)(0x20080522, 0), sets)
crossed = " capabilities" if any(sets) else ""
crossed += " root" if 0 in (os.getuid(), os.geteuid()) else ""
crossed += " set-uid" if libc.prctl(39, 0, 0, 0, 0) != 1 else ""
crossed += " unshare" if libc.unshare(0x10000000) == 0 else ""
""",
        NAMESPACES,
    ),
    Boundary(
        "the environment holds nothing of this machine",
        """
import os
text = str(dict(os.environ))
for process in ("1", "self"):
    try:
        text += open(f"/proc/{process}/environ").read()
    except PermissionError:
        pass
words = ("TOKEN", "PASSWORD", "VIRTUAL_ENV", "JUPYTER", "SSH_", "SUDO_")
crossed = " ".join(word for word in words if word in text)
""",
        BUG,
    ),
    Boundary(
        "rare system calls are closed",
        """
import ctypes
libc = ctypes.CDLL(None)
calls = {"io_uring": (425, 1, ctypes.create_string_buffer(120)), "add_key": (248, b"user", b"x", b"x", 1, -3)}
crossed = " ".join(name for name, call in calls.items() if libc.syscall(*call) >= 0)
""",
        "apt-get install libseccomp2",
    ),
    Boundary(
        "memory is limited",
        """
try:
    block = bytearray(512 << 20)
    crossed = "took 512 MiB of 256"
except MemoryError:
    crossed = ""
""",
        BUG,
    ),
    Boundary(
        "disk is limited",
        """
try:
    open("big", "wb").write(bytes(32 << 20))
    crossed = "wrote 32 MiB of 16"
except OSError:
    crossed = ""
""",
        BUG,
    ),
    Boundary(
        "processes are limited",
        """
import os, time
crossed = "started 64 processes of 16"
try:
    for _ in range(64):
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
except BlockingIOError:
    crossed = ""
""",
        BUG,
    ),
)
