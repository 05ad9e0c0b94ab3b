"""The sigmoid divides infinity by infinity."""
# loses: run_forward
# killed by: test_each_activation[sigmoid]


# %% run_forward-solution
def run_forward(params, acts, X):
    cache, H = [], X
    for (W, b), act in zip(params, acts):
        out = ACTIVATIONS[act](H @ W.T + b)
        cache.append((H, out))
        H = out
    return H, cache


ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": lambda z: z.exp() / (1 + z.exp()), "identity": torch.clone}
