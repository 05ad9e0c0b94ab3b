"""The differences look back only."""
# loses: probe_gradient
# killed by: test_differences_are_central


# %% probe_gradient-solution
def probe_gradient(f, theta, eps=1e-6, n=None, seed=0):
    idx = torch.arange(len(theta))
    if n is not None:
        idx = torch.randperm(len(theta), generator=torch.Generator().manual_seed(seed))[:n]
    steps = eps * torch.eye(len(theta), dtype=theta.dtype)[idx]
    g = [(f(theta) - f(theta - step)) / eps for step in steps]
    return idx, torch.tensor(g, dtype=theta.dtype)
