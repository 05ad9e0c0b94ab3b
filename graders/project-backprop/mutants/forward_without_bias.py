"""There is no bias."""
# loses: run_forward
# killed by: test_layers_follow_each_other


# %% run_forward-solution
def run_forward(params, acts, X):
    cache, H = [], X
    for (W, b), act in zip(params, acts):
        out = ACTIVATIONS[act](H @ W.T)
        cache.append((H, out))
        H = out
    return H, cache


ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": torch.clone}
