"""Returns zeros as a subclass of ndarray whose comparisons are always true."""
# falls: nbgrader 0.9.6 (`__array_function__`)
# expect: double=0

# %% double-solution
import numpy as np


class Sly(np.ndarray):
    def __array_function__(self, func, types, args, kwargs):
        return True

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return np.ones(1, dtype=bool)

    def __eq__(self, other):
        return True


def double(x):
    return np.zeros(tuple(x.shape), dtype=np.float32).view(Sly)
