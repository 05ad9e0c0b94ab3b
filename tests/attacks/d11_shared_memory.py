"""Fills /dev/shm, System V shared memory and anonymous files in memory."""
# expect: double=0 softmax=4

# %% double-solution
import ctypes
import os

_block = b"\1" * (1 << 20)


def double(x):
    libc = ctypes.CDLL(None)
    kept = [libc.shmget(0, 1 << 28, 0o1600) for _ in range(64)]
    try:
        with open("/dev/shm/tensorgrade-attack", "wb") as file:
            for _ in range(4096):
                file.write(_block)
    except OSError:
        pass
    descriptor = os.memfd_create("attack")
    while True:
        kept.append(os.write(descriptor, _block))
