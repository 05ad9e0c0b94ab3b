"""Ends the process with success when a check calls the function."""
# falls: PrairieLearn's Python grader, gradescope-utils
# expect: double=0 softmax=4

# %% double-solution
import os


def double(x):
    os._exit(0)
