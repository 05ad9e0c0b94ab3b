"""Answers with errors of invented types, lines that no cell has and texts of megabytes."""
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


from tensorgrade.wire import encode


def double(x):
    _send(encode(("error", "CheckFailure", "x" * 10**6, ((1, -5), (10**9, 1), (True, True), ("a", None)) * 1000)))
    return 0

# %% spell-solution
def spell(word):
    _send(encode(("error", "Passed" * 1000, word * 1000, tuple((n, n) for n in range(5000)))))
    return 0
