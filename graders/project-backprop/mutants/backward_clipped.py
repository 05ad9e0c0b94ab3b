"""The gradients are clipped."""
# loses: run_backward
# killed by: test_saturated_layers


# %% run_backward-solution
def run_backward(params, acts, cache, dY):
    grads, dH = [], dY
    for (W, _), act, (H, out) in zip(reversed(params), reversed(acts), reversed(cache)):
        dZ = dH * {"tanh": 1 - out**2, "relu": (out > 0).double(), "sigmoid": out * (1 - out), "identity": torch.ones_like(out)}[act]
        grads.append(((dZ.T @ H).clamp(-5, 5), dZ.sum(dim=0)))
        dH = dZ @ W
    return grads[::-1]
