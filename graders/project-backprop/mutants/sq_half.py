"""Half of the squared distance."""
# loses: criterion
# killed by: test_loss_and_slope[sq]


# %% criterion-solution
def criterion(kind, Y, T):
    if kind == "sq":
        return ((Y - T) ** 2).sum().item() / 2 / len(Y), (Y - T) / len(Y)
    scores = Y - Y.amax(dim=1, keepdim=True)
    log_p = scores - scores.exp().sum(dim=1, keepdim=True).log()
    picked = torch.arange(Y.shape[1]) == T[:, None]
    return -log_p[picked].mean().item(), (log_p.exp() - picked.double()) / len(Y)
