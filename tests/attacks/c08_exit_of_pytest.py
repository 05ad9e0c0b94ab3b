"""Raises pytest's Exit with the code of success, and KeyboardInterrupt."""
# falls: pytest in the student's process
# expect: double=0 spell=0

# %% double-solution
import pytest


def double(x):
    pytest.exit("all done", returncode=0)

# %% spell-solution
def spell(word):
    raise KeyboardInterrupt
