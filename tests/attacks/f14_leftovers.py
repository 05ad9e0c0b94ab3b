"""Leaves its solution in every shared place and looks for what the submission before has left there."""
# falls: graders that run submissions one after the other in one machine
# expect: double=0
# times: 3
# says: TRIED

# %% double-solution
import ctypes
import glob
import os

for _pattern in ("/tmp/*", "/tmp/.*", "/tmp/*/*", "/dev/shm/*", "/var/tmp/*", "/dev/mqueue/*", "/run/*", "~/*", "/opt/**/*.pyc"):
    for _path in glob.glob(os.path.expanduser(_pattern)):
        try:
            print(open(_path, "rb").read()[:4096] if not _path.endswith(".pyc") else "")
        except OSError:
            pass
_libc = ctypes.CDLL(None)
_libc.shmat.restype = ctypes.c_void_p
_place = _libc.shmat(_libc.shmget(4711, 4096, 0o666), None, 0)
if _place not in (None, 2**64 - 1):
    print(ctypes.string_at(_place, 64))
_place = _libc.shmat(_libc.shmget(4711, 4096, 0o1666), None, 0)
_mine = open("/proc/self/mem", "rb", 0)
_text = b"left " + str(get_ipython().source).encode()
if _place not in (None, 2**64 - 1):
    ctypes.memmove(_place, _text[-64:], 64)
for _folder in ("/tmp", "/dev/shm", "/var/tmp", os.path.expanduser("~")):
    try:
        with open(f"{_folder}/tensorgrade-attack-left", "wb") as _file:
            _file.write(_text)
    except OSError:
        pass
print("TRI" + "ED")


def double(x):
    return 0
