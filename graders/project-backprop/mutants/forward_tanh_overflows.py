"""The hyperbolic tangent divides infinity by infinity."""
# loses: run_forward
# killed by: test_each_activation[tanh]


# %% run_forward-solution
def run_forward(params, acts, X):
    cache, H = [], X
    for (W, b), act in zip(params, acts):
        out = ACTIVATIONS[act](H @ W.T + b)
        cache.append((H, out))
        H = out
    return H, cache


ACTIVATIONS = {"tanh": lambda z: (z.exp() - (-z).exp()) / (z.exp() + (-z).exp()), "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": torch.clone}
