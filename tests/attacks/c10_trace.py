"""Traces every frame and rewrites local variables that look like a verdict."""
# falls: nbgrader 0.9.6 (a walk over frames)
# expect: double=0

# %% double-solution
import sys


def _trace(frame, event, argument):
    for name in ("expected", "actual", "result", "points", "passed", "status"):
        if name in frame.f_locals:
            frame.f_locals[name] = True
    return _trace


def double(x):
    sys.settrace(_trace)
    sys.setprofile(_trace)
    return 0
