"""The value to be put back is a view of theta."""
# loses: probe_gradient
# killed by: test_two_calls_for_each_coordinate


# %% probe_gradient-solution
def probe_gradient(f, theta, eps=1e-6, n=None, seed=0):
    idx = torch.arange(len(theta))
    if n is not None:
        idx = torch.randperm(len(theta), generator=torch.Generator().manual_seed(seed))[:n]
    g, theta = [], theta.clone()
    for i in idx:
        kept = theta[i]
        theta[i] = kept + eps
        above = f(theta)
        theta[i] = kept - 2 * eps
        g.append((above - f(theta)) / (2 * eps))
        theta[i] = kept
    return idx, torch.tensor(g, dtype=theta.dtype)
