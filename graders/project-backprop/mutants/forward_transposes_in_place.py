"""The weights are transposed in place."""
# loses: run_forward
# killed by: test_forward_keeps_precision_and_arguments


# %% run_forward-solution
def run_forward(params, acts, X):
    cache, H = [], X
    for (W, b), act in zip(params, acts):
        out = ACTIVATIONS[act](H @ W.t_() + b)
        cache.append((H, out))
        H = out
    return H, cache


ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": torch.clone}
