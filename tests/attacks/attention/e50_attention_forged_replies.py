"""Answers every question twice on the worker's own socket, with numbers that are right for nothing."""
# expect: attend=0

# %% attend-solution
import os
import stat
import struct

from tensorgrade.wire import encode


def attend(q, k, v, allow=None):
    for number in range(3, 256):
        try:
            if stat.S_ISSOCK(os.fstat(number).st_mode):
                data = encode(("value", (q * 0, torch.ones(*q.shape[:-1], k.shape[-2]))))
                os.write(number, struct.pack("<Q", len(data)) + data)
        except OSError:
            pass
    return None
