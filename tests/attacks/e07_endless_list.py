"""Forges a list of 2^32 elements, a text of 4 GiB and ten thousand levels."""
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
    for data in (b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\x92\x00" * 10000 + b"\xc0"):
        _send(b"\x93\x01\xa5value" + data)
    return 0
