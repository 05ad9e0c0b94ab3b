"""Raises pytest's Skipped in the place of an answer."""
# falls: pytest in the student's process
# expect: double=0 spell=0

# %% double-solution
import pytest


def double(x):
    pytest.skip("not today")

# %% spell-solution
def spell(word):
    raise pytest.skip.Exception("not today", allow_module_level=True)
