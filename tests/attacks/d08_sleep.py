"""Sleeps in a call, without any CPU time."""
# falls: limits by CPU time alone
# expect: double=0 softmax=4

# %% double-solution
import time


def double(x):
    time.sleep(3600)
