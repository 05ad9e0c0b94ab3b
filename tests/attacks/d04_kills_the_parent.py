"""Kills its parent, which has the number 0 here and so means the whole process group, and the first process there is."""
# falls: a runner whose parent writes the verdict last
# expect: double=0 softmax=4

# %% double-solution
import os
import signal


def double(x):
    for process in (os.getppid(), 1, os.getpgrp()):
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(process, number)
            except OSError:
                pass
    return 0
