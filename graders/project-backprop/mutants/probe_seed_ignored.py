"""The coordinates do not depend on the seed."""
# loses: probe_gradient
# killed by: test_subset_is_drawn


# %% probe_gradient-solution
def probe_gradient(f, theta, eps=1e-6, n=None, seed=0):
    idx = torch.arange(len(theta))
    if n is not None:
        idx = torch.randperm(len(theta), generator=torch.Generator().manual_seed(0))[:n]
    steps = eps * torch.eye(len(theta), dtype=theta.dtype)[idx]
    g = [(f(theta + step) - f(theta - step)) / (2 * eps) for step in steps]
    return idx, torch.tensor(g, dtype=theta.dtype)
