"""Enters the namespaces of other processes, makes its own, and mounts what it likes there."""
# expect: double=0
# says: TRIED
# never: INSIDE

# %% double-solution
import ctypes
import glob
import os

_libc = ctypes.CDLL(None, use_errno=True)
for _path in glob.glob("/proc/[0-9]*/ns/*"):
    try:
        if not os.path.samefile(_path, f"/proc/self/ns/{os.path.basename(_path)}"):
            if _libc.setns(os.open(_path, os.O_RDONLY), 0) == 0:
                print("INS" + "IDE", _path)
    except OSError:
        pass
if _libc.unshare(0x10000000 | 0x00020000) == 0:  # a user namespace with a mount namespace
    for _kind, _place in ((b"proc", b"/proc"), (b"tmpfs", b"/opt"), (b"devtmpfs", b"/dev"), (b"sysfs", b"/sys")):
        _libc.mount(b"none", _place, _kind, 0, None)
    _libc.umount2(b"/proc", 2)
    _libc.umount2(b"/tmp", 2)
    _libc.pivot_root(b".", b".")
for _path in ("/graders", "/course", "/root/.ssh", "/etc/shadow", "/sys/kernel", "/proc/1/environ"):
    try:
        print(os.listdir(_path) if os.path.isdir(_path) else open(_path).read())
    except OSError:
        pass
print("TRI" + "ED")


def double(x):
    return 0
