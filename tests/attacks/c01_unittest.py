"""Makes every assertion of unittest pass."""
# falls: gradescope-utils, otter-grader 7.0.0
# expect: double=0

# %% double-solution
import unittest

for _name in [name for name in dir(unittest.TestCase) if name.startswith("assert")]:
    setattr(unittest.TestCase, _name, lambda *args, **kwargs: None)
unittest.TestResult.wasSuccessful = lambda self: True


def double(x):
    return 0
