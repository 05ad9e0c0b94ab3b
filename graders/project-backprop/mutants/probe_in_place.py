"""theta is moved up and down in place; rounding stays behind."""
# loses: probe_gradient
# killed by: test_probe_leaves_no_trace


# %% probe_gradient-solution
def probe_gradient(f, theta, eps=1e-6, n=None, seed=0):
    idx = torch.arange(len(theta))
    if n is not None:
        idx = torch.randperm(len(theta), generator=torch.Generator().manual_seed(seed))[:n]
    g = []
    for i in idx:
        theta[i] += eps
        above = f(theta)
        theta[i] -= 2 * eps
        below = f(theta)
        theta[i] += eps
        g.append((above - below) / (2 * eps))
    return idx, torch.tensor(g, dtype=theta.dtype)
