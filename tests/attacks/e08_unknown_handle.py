"""Answers with handles of objects that there are not, and with a reference to the grader's functions."""
# expect: double=0 spell=0

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


from tensorgrade.wire import Callback, Handle, encode


def double(x):
    _send(encode(("value", Handle(2**63))))
    return 0

# %% spell-solution
def spell(word):
    _send(encode(("value", Callback(0))))
    return 0
