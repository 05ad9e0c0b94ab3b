"""A coordinate that was moved is not put back."""
# loses: probe_gradient
# killed by: test_two_calls_for_each_coordinate


# %% probe_gradient-solution
def probe_gradient(f, theta, eps=1e-6, n=None, seed=0):
    idx = torch.arange(len(theta))
    if n is not None:
        idx = torch.randperm(len(theta), generator=torch.Generator().manual_seed(seed))[:n]
    g, theta = [], theta.clone()
    for i in idx:
        theta[i] += eps
        above = f(theta)
        theta[i] -= 2 * eps
        g.append((above - f(theta)) / (2 * eps))
    return idx, torch.tensor(g, dtype=theta.dtype)
