"""Ends the process with success while the notebook runs."""
# falls: PrairieLearn's Python grader, gradescope-utils
# expect: double=0 softmax=4

# %% double-solution
import os

os._exit(0)
