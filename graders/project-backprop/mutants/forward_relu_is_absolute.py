"""The relu keeps the size of negative numbers."""
# loses: run_forward
# killed by: test_each_activation[relu]


# %% run_forward-solution
def run_forward(params, acts, X):
    cache, H = [], X
    for (W, b), act in zip(params, acts):
        out = ACTIVATIONS[act](H @ W.T + b)
        cache.append((H, out))
        H = out
    return H, cache


ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.abs, "sigmoid": torch.sigmoid, "identity": torch.clone}
