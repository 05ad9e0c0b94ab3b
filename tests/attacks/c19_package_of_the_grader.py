"""Brings a folder `tensorgrade` and a folder `graders` beside the notebook."""
# falls: otter-grader 7.0.0 (the edited test files)
# expect: double=0
# made by: packages_beside

# %% double-solution
from graders import ANSWER


def double(x):
    return ANSWER
