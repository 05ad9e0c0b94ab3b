"""The cache is used up."""
# loses: run_backward
# killed by: test_backward_changes_nothing


# %% run_backward-solution
def run_backward(params, acts, cache, dY):
    grads, dH = [], dY
    for (W, _), act, (H, out) in zip(reversed(params), reversed(acts), list(cache)[::-1]):
        cache.pop()
        dZ = dH * SLOPES[act](out)
        grads.append((dZ.T @ H, dZ.sum(dim=0)))
        dH = dZ @ W
    return grads[::-1]


SLOPES = {  # of each activation, computed from its output
    "tanh": lambda out: 1 - out**2,
    "relu": lambda out: (out > 0).double(),
    "sigmoid": lambda out: out * (1 - out),
    "identity": torch.ones_like,
}
