"""Brings its own torch.py, random.py, numpy.py and msgpack.py beside the notebook."""
# falls: nbgrader 0.9.6 (`numpy.py`)
# expect: double=0
# made by: modules_beside

# %% double-solution
import random

import numpy
import torch


def double(x):
    return getattr(torch, "ANSWER", 0)
