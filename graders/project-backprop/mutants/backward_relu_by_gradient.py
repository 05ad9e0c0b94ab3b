"""The relu lets positive gradients through."""
# loses: run_backward
# killed by: test_each_slope[relu]


# %% run_backward-solution
def run_backward(params, acts, cache, dY):
    grads, dH = [], dY
    for (W, _), act, (H, out) in zip(reversed(params), reversed(acts), reversed(cache)):
        dZ = dH * (SLOPES[act](out) if act != "relu" else (dH > 0))
        grads.append((dZ.T @ H, dZ.sum(dim=0)))
        dH = dZ @ W
    return grads[::-1]


SLOPES = {  # of each activation, computed from its output
    "tanh": lambda out: 1 - out**2,
    "relu": lambda out: (out > 0).double(),
    "sigmoid": lambda out: out * (1 - out),
    "identity": torch.ones_like,
}
