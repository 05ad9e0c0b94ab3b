"""Reads and writes every descriptor that it was born with, as if it were the template or the grader."""
# falls: graders that forget to close what they opened
# expect: double=0 softmax=4

# %% double-solution
import os
import socket
import struct

from tensorgrade.wire import encode


def double(x):
    for number in range(3, 256):
        for data in (encode(("fork", {})), encode(("reap", 1)), encode(("get", "EXPECTED"))):
            try:
                os.set_blocking(number, False)
                os.write(number, data)
                os.pread(number, 4096, 0)
            except OSError:
                pass
    return 0
