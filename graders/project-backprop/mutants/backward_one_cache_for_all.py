"""The last forward pass is kept in a global name."""
# loses: run_backward
# killed by: test_cache_belongs_to_its_batch


# %% run_forward-solution
LAST = []


def run_forward(params, acts, X):
    cache, H = [], X
    for (W, b), act in zip(params, acts):
        out = ACTIVATIONS[act](H @ W.T + b)
        cache.append((H, out))
        H = out
    LAST.append(cache)
    return H, cache


ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": torch.clone}


# %% run_backward-solution
def run_backward(params, acts, cache, dY):
    grads, dH = [], dY
    for (W, _), act, (H, out) in zip(reversed(params), reversed(acts), reversed(LAST[-1])):
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
