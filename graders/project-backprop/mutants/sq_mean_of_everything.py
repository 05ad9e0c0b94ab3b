"""The mean is taken over all numbers, not over the rows."""
# loses: criterion
# killed by: test_loss_and_slope[sq]


# %% criterion-solution
def criterion(kind, Y, T):
    if kind == "sq":
        return ((Y - T) ** 2).mean().item(), 2 * (Y - T) / Y.numel()
    scores = Y - Y.amax(dim=1, keepdim=True)
    log_p = scores - scores.exp().sum(dim=1, keepdim=True).log()
    picked = torch.arange(Y.shape[1]) == T[:, None]
    return -log_p[picked].mean().item(), (log_p.exp() - picked.double()) / len(Y)
