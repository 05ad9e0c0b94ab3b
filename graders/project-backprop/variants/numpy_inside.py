"""The passes in NumPy."""

# %% run_forward-solution
import numpy as np


def run_forward(params, acts, X):
    H = X.numpy()
    cache = [H]
    for (W, b), act in zip(params, acts):
        Z = H @ W.numpy().T + b.numpy()
        if act == "tanh":
            H = np.tanh(Z)
        elif act == "relu":
            H = np.maximum(Z, 0)
        elif act == "sigmoid":
            H = 0.5 * (1 + np.tanh(Z / 2))
        else:
            H = Z
        cache.append(H)
    return torch.from_numpy(H.copy()), cache


# %% run_backward-solution
def run_backward(params, acts, cache, dY):
    grads, d = [], dY.numpy()
    for k in range(len(params), 0, -1):
        H = cache[k]
        if acts[k - 1] == "tanh":
            d = d * (1 - H) * (1 + H)
        elif acts[k - 1] == "relu":
            d = np.where(H > 0, d, 0.0)
        elif acts[k - 1] == "sigmoid":
            d = d * (H - H * H)
        grads.insert(0, (torch.from_numpy(d.T @ cache[k - 1]), torch.from_numpy(d.sum(axis=0))))
        d = d @ params[k - 1][0].numpy()
    return grads


# %% criterion-solution
def criterion(kind, Y, T):
    y, t, n = Y.numpy(), T.numpy(), len(Y)
    if kind == "sq":
        return float(np.sum((y - t) ** 2) / n), torch.from_numpy(2 / n * (y - t))
    z = y - y.max(axis=1, keepdims=True)
    total = np.exp(z).sum(axis=1, keepdims=True)
    log_p = z - np.log(total)
    d = np.exp(z) / total
    d[np.arange(n), t] -= 1.0
    return float(-log_p[np.arange(n), t].sum() / n), torch.from_numpy(d / n)


# %% probe_gradient-solution
def probe_gradient(f, theta, eps=1e-6, n=None, seed=0):
    size = theta.numel()
    idx = np.arange(size) if n is None else np.sort(np.random.default_rng(seed).choice(size, n, replace=False))
    base = theta.numpy()
    g = np.empty(len(idx))
    for k, i in enumerate(idx):
        moved = base.copy()
        moved[i] += eps
        above = f(torch.from_numpy(moved.copy()))
        moved[i] = base[i] - eps
        g[k] = (above - f(torch.from_numpy(moved.copy()))) / (2 * eps)
    return torch.from_numpy(idx), torch.from_numpy(g)
