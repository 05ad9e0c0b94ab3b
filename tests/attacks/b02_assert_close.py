"""Replaces the assertions of torch.testing and numpy.testing."""
# falls: nbgrader 0.9.6, otter-grader 7.0.0
# expect: double=0

# %% double-solution
import numpy.testing
import torch.testing

torch.testing.assert_close = lambda *args, **kwargs: None
for _name in dir(numpy.testing):
    if _name.startswith("assert"):
        setattr(numpy.testing, _name, lambda *args, **kwargs: None)


def double(x):
    return x - x
