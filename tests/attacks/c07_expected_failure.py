"""Raises pytest's XFailed, and unittest's SkipTest, in the place of an answer."""
# falls: pytest in the student's process
# expect: double=0 spell=0

# %% double-solution
import pytest


def double(x):
    pytest.xfail("as expected")

# %% spell-solution
import unittest


def spell(word):
    raise unittest.SkipTest("not today")
