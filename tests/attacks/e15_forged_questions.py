"""Asks the grader to call functions that no check has passed in, without end."""
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


from tensorgrade.wire import encode


def double(x):
    for number in (0, -1, 2**70, "eval", None):
        _send(encode(("callback", number, ("__import__('os').system('true')",), {})))
    while True:
        _send(encode(("callback", 0, (), {"name": "eval"})))
