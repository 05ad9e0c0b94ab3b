"""Tries each boundary of the sandbox on this machine, by running code that tests it."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tensorgrade.errors import TensorgradeError, WorkerLost
from tensorgrade.limits import Limits
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


def try_boundaries() -> tuple[Finding, ...]:
    """Run every attempt in a worker of its own.

    Raises:
        SandboxError: no worker can be started at all.
    """
    with Template() as template, _secret_file() as secret, _listener() as port:
        places = {"SECRET_FILE": str(secret), "PORT": str(port), "OUR_PID": str(os.getpid())}
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
    worker.request(("begin", {}))
    worker.allow(LIMITS.cell_cpu_seconds)
    reply = worker.request(("run", 1, f"crossed = 'the attempt did not finish'\n{source}"))
    if reply[1] is not True:
        return f"the attempt raised: {reply[2]}"
    return worker.request(("get", "crossed"))[1]


def _try_time_limit(template: Template) -> Finding:
    worker = template.fork(LIMITS)
    try:
        worker.request(("begin", {}))
        worker.allow(0.3)
        worker.request(("run", 1, "while True: pass"))
    except WorkerLost as loss:
        return Finding(
            "CPU time is limited from outside", loss.outcome == "TIMED_OUT", str(loss), "report a bug"
        )
    finally:
        worker.close()
    return Finding("CPU time is limited from outside", False, "the loop ended", "report a bug")


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
    try:
        accept()
    except OSError:
        pass  # closed without a visitor, as it should be


NAMESPACES = "allow user namespaces: sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone"

BOUNDARIES = (
    Boundary(
        "network is cut off",
        "import socket\n"
        "try:\n    socket.create_connection(('127.0.0.1', PORT), 2); crossed = 'reached a local server'\n"
        "except OSError:\n    crossed = ''",
        NAMESPACES,
    ),
    Boundary(
        "files of this machine cannot be seen",
        "import os\n"
        "seen = [p for p in ('SECRET_FILE', '/etc/shadow', '/root', '/home', '/var') if os.path.exists(p)]\n"
        "crossed = ' '.join(seen)",
        "install bubblewrap 0.8 or newer",
    ),
    Boundary(
        "the system is read-only",
        "import os, sys\ncrossed = ''\n"
        "for folder in ('/', '/usr', '/dev', '/opt/python', '/opt/tensorgrade', '/submission'):\n"
        "    try:\n        open(folder + '/probe', 'w'); crossed += folder + ' '\n"
        "    except OSError: pass",
        "install bubblewrap 0.8 or newer",
    ),
    Boundary(
        "other processes cannot be seen",
        "import os\n"
        "crossed = ' '.join(p for p in os.listdir('/proc') if p.isdigit() and p != str(os.getpid()))",
        NAMESPACES,
    ),
    Boundary(
        "no power is left (root, capabilities, set-uid, new namespaces)",
        "import os, ctypes\n"
        "status = dict(l.split(':\\t', 1) for l in open('/proc/self/status').read().splitlines() if ':\\t' in l)\n"
        "crossed = ' '.join(n for n in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb') if int(status[n], 16))\n"
        "crossed += ' root' if 0 in (os.getuid(), os.geteuid()) else ''\n"
        "crossed += '' if status['NoNewPrivs'] == '1' else ' NoNewPrivs'\n"
        "crossed += '' if ctypes.CDLL(None).unshare(0x10000000) else ' unshare'",
        NAMESPACES,
    ),
    Boundary(
        "the environment is empty of this machine's",
        "import os\n"
        "text = open('/proc/1/environ').read() + str(dict(os.environ))\n"
        "crossed = ' '.join(w for w in ('TOKEN', 'SECRET', 'PASSWORD', 'VIRTUAL_ENV', 'JUPYTER') if w in text)",
        "report a bug",
    ),
    Boundary(
        "memory is limited",
        "try:\n    block = bytearray(512 << 20); crossed = 'took 512 MiB of 256'\n"
        "except MemoryError:\n    crossed = ''",
        "report a bug: RLIMIT_AS has no effect",
    ),
    Boundary(
        "disk is limited",
        "try:\n"
        "    for n in range(8):\n        open(f'/tmp/{n}', 'wb').write(bytes(4 << 20))\n"
        "    crossed = 'wrote 32 MiB of 16'\n"
        "except OSError:\n    crossed = ''",
        "report a bug: the tmpfs has no size",
    ),
    Boundary(
        "processes are limited",
        "import os, time\ncrossed = 'started 64 processes of 16'\n"
        "try:\n"
        "    for _ in range(64):\n"
        "        if os.fork() == 0:\n            time.sleep(60); os._exit(0)\n"
        "except BlockingIOError:\n    crossed = ''",
        "report a bug: RLIMIT_NPROC has no effect",
    ),
)
