"""A program that tries all the time, in every way that a program may, to take a port of the loopback address."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

# Each way is an address and what is asked of the kernel; whoever has another socket on this port may have asked it too.
TAKER = """
import itertools, select, socket, sys

port, tries, taken = int(sys.argv[1]), 0, []
options = {
    "reuse address": (socket.SO_REUSEADDR, 1),
    "reuse port": (socket.SO_REUSEPORT, 1),
    "one device": (socket.SO_BINDTODEVICE, b"lo"),
}
some = [names for number in range(4) for names in itertools.combinations(options, number)]
places = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]
print("tries", flush=True)
while not taken and not (tries and select.select([sys.stdin], [], [], 0)[0]):
    for (family, address), names in itertools.product(places, some):
        tries += 1
        with socket.socket(family) as own:
            try:
                if family == socket.AF_INET6:
                    own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                for name in names:
                    own.setsockopt(socket.SOL_SOCKET, *options[name])
                own.bind((address, port))
                own.listen()
            except OSError:
                continue
            taken.append((address, *names))
            break
sys.stdin.read()
print(tries, taken)
"""


@contextmanager
def taking(port: int, room: Sequence[str] = ()) -> Iterator[Callable[[], tuple[int, str]]]:
    """Run the program, in a room if there is one, until somebody asks what it has got.

    Yields:
        A function that ends the program; it returns how often this one has tried, and in which ways it got the port.
    """
    command = [*room, sys.executable, "-c", TAKER, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={}) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "tries\n"

        def took() -> tuple[int, str]:
            said, _ = process.communicate(timeout=60)
            tries, _, taken = said.strip().partition(" ")
            return int(tries), taken

        yield took
