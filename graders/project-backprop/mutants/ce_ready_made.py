"""The library's loss is used."""
# loses: criterion
# killed by: test_criterion_is_own_work[ce]


# %% criterion-solution
def criterion(kind, Y, T):
    if kind == "sq":
        return ((Y - T) ** 2).sum().item() / len(Y), 2 * (Y - T) / len(Y)
    scores = Y - Y.amax(dim=1, keepdim=True)
    log_p = scores - scores.exp().sum(dim=1, keepdim=True).log()
    picked = torch.arange(Y.shape[1]) == T[:, None]
    return nn.functional.cross_entropy(Y, T).item(), (log_p.exp() - picked.double()) / len(Y)
