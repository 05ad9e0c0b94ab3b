"""Reads kernel keyrings, opens files by handle, and asks for powers it does not have."""
# expect: double=0
# says: TRIED
# never: GOT

# %% double-solution
import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_buffer = ctypes.create_string_buffer(4096)
for _ring in (-1, -2, -3, -4, -5):
    if _libc.syscall(250, 11, _ring, _buffer, 4096) > 0:  # keyctl(KEYCTL_READ)
        print(_buffer.raw[:64])
for _call in ((_libc.setuid, 0), (_libc.setgid, 0), (_libc.seteuid, 0), (_libc.chroot, b"/")):
    if _call[0](_call[1]) == 0:
        print("G" + "OT", _call[0].__name__)
_handle = ctypes.create_string_buffer(b"\x08\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0", 128)  # the root of a file system, by its inode
try:
    if _libc.open_by_handle_at(os.open("/", os.O_RDONLY), _handle, 0) >= 0:
        print("G" + "OT a file by handle")
except OSError:
    pass  # the root itself may not be opened
print("TRI" + "ED")


def double(x):
    return 0
