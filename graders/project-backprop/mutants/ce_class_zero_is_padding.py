"""Class 0 counts as padding."""
# loses: criterion
# killed by: test_loss_and_slope[ce]


# %% criterion-solution
def criterion(kind, Y, T):
    if kind == "sq":
        return ((Y - T) ** 2).sum().item() / len(Y), 2 * (Y - T) / len(Y)
    keep = (T != 0).double()
    log_p = Y - torch.logsumexp(Y, 1, keepdim=True)
    hot = torch.eye(Y.shape[1])[T]
    n = max(keep.sum().item(), 1)
    return (-(log_p * hot).sum(1) * keep).sum().item() / n, (log_p.exp() - hot) * keep[:, None] / n
