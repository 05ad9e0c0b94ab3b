"""Stops every clock of Python and works far longer than a check may."""
# falls: a speed check with `time.time` in the student's process
# expect: double=0

# %% double-solution
import time

for _name in ("time", "perf_counter", "process_time", "monotonic", "thread_time", "time_ns", "monotonic_ns"):
    setattr(time, _name, lambda *args: 0)


def double(x):
    while time.time() < 1:
        x = x + 0
    return x
