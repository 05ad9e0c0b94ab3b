"""The logarithm of a probability that was rounded to 0."""
# loses: criterion
# killed by: test_large_scores


# %% criterion-solution
def criterion(kind, Y, T):
    if kind == "sq":
        return ((Y - T) ** 2).sum().item() / len(Y), 2 * (Y - T) / len(Y)
    scores = Y - Y.amax(dim=1, keepdim=True)
    log_p = (scores.exp() / scores.exp().sum(dim=1, keepdim=True)).log()
    picked = torch.arange(Y.shape[1]) == T[:, None]
    return -log_p[picked].mean().item(), (log_p.exp() - picked.double()) / len(Y)
