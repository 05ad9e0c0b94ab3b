"""The number of rows of the first batch is kept."""
# loses: run_backward
# killed by: test_whole_chain


# %% run_backward-solution
N = None
def run_backward(params, acts, cache, dY):
    global N
    N = N or len(dY)
    grads, dH = [], dY[:N]
    for (W, _), act, (H, out) in zip(reversed(params), reversed(acts), reversed(cache)):
        H, out = H[:N], out[:N]
        dZ = dH * {"tanh": 1 - out**2, "relu": (out > 0).double(), "sigmoid": out * (1 - out), "identity": torch.ones_like(out)}[act]
        grads.append((dZ.T @ H, dZ.sum(dim=0)))
        dH = dZ @ W
    return grads[::-1]
