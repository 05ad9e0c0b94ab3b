"""Shows a partial credit of full points before a check can fail."""
# falls: nbgrader 0.9.6
# expect: double=0

# %% double-solution
import sys


def double(x):
    sys.displayhook(4.0)
    return 0


sys.displayhook(4.0)
4.0
