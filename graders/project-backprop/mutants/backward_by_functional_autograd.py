"""torch.func differentiates."""
# loses: run_backward
# killed by: test_backward_is_own_work


# %% run_backward-solution
from torch.func import vjp


def run_backward(params, acts, cache, dY):
    X = cache[0][0]
    return vjp(lambda layers: run_forward(layers, acts, X)[0], list(params))[1](dY)[0]
