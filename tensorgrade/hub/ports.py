"""The ports of the hub's services: the hub takes each of them once, and lends it to whoever serves there.

All rooms share the loopback address. A port that nobody holds can be taken by a program in anybody's room, and it gets
the tokens of whoever asks next. So the hub itself listens, from the moment it has chosen a port until it ends; a
service gets a copy of the listening socket, and whoever asks while it is away waits in the kernel's queue for the next.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

from tensorgrade.errors import PlatformError, UsageError

BACKLOG = 1024  # who may wait for a service that is away; the kernel may allow fewer (net.core.somaxconn)
NAME_BYTES = 256
SECONDS = 10

log = logging.getLogger("tensorgrade.ports")


class HeldPorts:
    """Ports of the loopback address that are this process's own, by the name of the service that answers there."""

    def __init__(self, door: Path) -> None:
        """Open the door at which the hub's own processes ask for a port.

        Args:
            door: a path for a socket, in a folder that only the hub opens. An abstract socket would be seen in every
                room, since it belongs to the network (ref: unix(7)).

        Raises:
            UsageError: the path is too long for a socket, or its folder cannot be written.
        """
        self.door = door
        self._held: dict[str, socket.socket] = {}
        self._asked = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            door.unlink(missing_ok=True)  # of a hub that was killed
            self._asked.bind(str(door))
            door.chmod(0o600)
        except OSError as error:
            self._asked.close()
            raise UsageError(f"{door}: expected a path for a socket, got: {error}. Choose another --state.") from error
        self._asked.listen()
        threading.Thread(target=self._lend, name="ports", daemon=True).start()

    def hold(self, name: str) -> str:
        """The address of a service, on a port that nobody else can take as long as this process lives.

        Without SO_REUSEPORT and SO_REUSEADDR on this socket no option of another one makes the kernel share its port,
        whoever asks (ref: socket(7); tests/test_hub_ports.py, "nobody shares").
        """
        held = socket.socket()
        held.bind(("127.0.0.1", 0))
        held.listen(BACKLOG)
        self._held[name] = held
        return f"http://127.0.0.1:{held.getsockname()[1]}"

    def _lend(self) -> None:
        """Give each who asks a copy of the socket that it names."""
        while True:
            try:
                asking, _ = self._asked.accept()
                with asking:
                    asking.settimeout(SECONDS)
                    name = asking.recv(NAME_BYTES).decode()
                    socket.send_fds(asking, [b"."], [self._held[name].fileno()])
            except (OSError, KeyError, ValueError) as error:
                log.error("a port was asked for and not lent: %r", error)
                time.sleep(0.1)  # no file may be left to open; this must not take the hub's time


def borrow(door: Path, name: str) -> socket.socket:
    """The listening socket of a service, from the hub that holds it.

    Raises:
        PlatformError: no hub answers there, or it holds no port for this service.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking, suppress(OSError):
        asking.settimeout(SECONDS)
        asking.connect(str(door))
        asking.send(name.encode())
        _, descriptors, _, _ = socket.recv_fds(asking, 1, 1)
        if descriptors:
            lent = socket.socket(fileno=descriptors[0])
            lent.set_inheritable(False)
            return lent
    raise PlatformError(f"{door}: expected the port of {name} from the hub, got none. Is the hub still there?")
