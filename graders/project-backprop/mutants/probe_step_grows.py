"""The step grows with theta."""
# loses: probe_gradient
# killed by: test_step_is_small_unless_given


# %% probe_gradient-solution
def probe_gradient(f, theta, eps=1e-6, n=None, seed=0):
    idx = torch.arange(len(theta))
    if n is not None:
        idx = torch.randperm(len(theta), generator=torch.Generator().manual_seed(seed))[:n]
    g = []
    for i in idx:
        h = eps * max(1.0, abs(theta[i].item()))
        e = torch.zeros_like(theta); e[i] = h
        g.append((f(theta + e) - f(theta - e)) / (2 * h))
    return idx, torch.tensor(g)
