"""The gradients are read from .grad."""
# loses: run_backward
# killed by: test_gradients_of_any_depth


# %% run_backward-solution
def run_backward(params, acts, cache, dY):
    return [(W.grad, b.grad) for W, b in params]
