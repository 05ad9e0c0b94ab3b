"""What has no other name is a relu."""
# loses: run_forward
# killed by: test_each_activation[identity]


# %% run_forward-solution
def run_forward(params, acts, X):
    cache, H = [], X
    for (W, b), act in zip(params, acts):
        out = ACTIVATIONS[act](H @ W.T + b)
        cache.append((H, out))
        H = out
    return H, cache


ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": torch.relu}
