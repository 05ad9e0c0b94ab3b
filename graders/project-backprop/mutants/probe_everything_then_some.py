"""All coordinates are probed, and some are returned."""
# loses: probe_gradient
# killed by: test_two_calls_for_each_coordinate


# %% probe_gradient-solution
def probe_gradient(f, theta, eps=1e-6, n=None, seed=0):
    g = [(f(theta + eps * one) - f(theta - eps * one)) / (2 * eps) for one in torch.eye(len(theta), dtype=theta.dtype)]
    idx = torch.arange(len(theta))
    if n is not None:
        idx = torch.randperm(len(theta), generator=torch.Generator().manual_seed(seed))[:n]
    return idx, torch.tensor(g, dtype=theta.dtype)[idx]
