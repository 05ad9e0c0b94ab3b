"""What attacks on the protocol begin with: finds the worker's socket to the grader and writes on it."""

import os
import stat
import struct
from contextlib import suppress


def _channels():
    """The sockets of this process; one of them leads to the grader."""
    for number in range(3, 256):
        with suppress(OSError):
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                yield number


def _send(data, announced=None):
    for number in _channels():
        with suppress(OSError):
            os.write(number, struct.pack("<Q", len(data) if announced is None else announced) + data)
