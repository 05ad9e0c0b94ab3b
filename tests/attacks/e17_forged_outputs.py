"""Answers the run of a cell with outputs that no notebook may hold."""
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

_deep = {"output_type": "display_data", "data": {"text/plain": [["x"]]}}
for _ in range(20):
    _deep = {"data": _deep}
_send(encode(("ran", True, [_deep] * 1000 + [{"output_type": "error", "traceback": {"a": 1}}, None, 5, "x" * 10**6])))


def double(x):
    return 0
