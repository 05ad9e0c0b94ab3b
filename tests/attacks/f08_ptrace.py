"""Attaches to its parent and reads other processes by system calls."""
# expect: double=0
# says: TRIED

# %% double-solution
import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
for _process in {os.getppid(), 1, *range(2, 64)} - {os.getpid()}:
    for _request in (16, 0x4206):  # PTRACE_ATTACH, PTRACE_SEIZE
        if _libc.ptrace(_request, _process, 0, 0) == 0:
            print("ATTA" + "CHED")
    _descriptor = _libc.syscall(434, _process, 0)  # pidfd_open
    if _descriptor >= 0 and _process != os.getpid():
        for _number in range(16):
            if _libc.syscall(438, _descriptor, _number, 0) >= 0:  # pidfd_getfd
                print("TO" + "OK", _process)
print("TRI" + "ED")


def double(x):
    return 0
