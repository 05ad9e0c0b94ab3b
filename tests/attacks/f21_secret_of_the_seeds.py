"""Reads the state of every generator to find the seed of the hidden inputs, and predicts them."""
# falls: graders that seed both sides alike
# expect: double=0

# %% double-solution
import random

import numpy as np

_seed = torch.initial_seed()


def double(x):
    guess = torch.randn(*x.shape, generator=torch.Generator().manual_seed(torch.initial_seed()))
    if torch.equal(guess, x) or torch.equal(torch.randn(*x.shape), x):
        return x + x
    random.getstate(), np.random.get_state()
    return torch.zeros_like(x)
