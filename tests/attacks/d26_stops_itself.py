"""Stops its own process and those around it, so that nobody ever answers."""
# falls: graders that wait for an answer without a clock
# expect: double=0 softmax=4

# %% double-solution
import os
import signal


def double(x):
    os.kill(os.getpid(), signal.SIGSTOP)
    return 0
