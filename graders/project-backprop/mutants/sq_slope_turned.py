"""The derivative points the wrong way."""
# loses: criterion
# killed by: test_slope_is_the_derivative[sq]


# %% criterion-solution
def criterion(kind, Y, T):
    if kind == "sq":
        return ((Y - T) ** 2).sum().item() / len(Y), 2 * (T - Y) / len(Y)
    scores = Y - Y.amax(dim=1, keepdim=True)
    log_p = scores - scores.exp().sum(dim=1, keepdim=True).log()
    picked = torch.arange(Y.shape[1]) == T[:, None]
    return -log_p[picked].mean().item(), (log_p.exp() - picked.double()) / len(Y)
