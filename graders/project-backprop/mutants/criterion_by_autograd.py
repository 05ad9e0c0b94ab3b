"""The derivative comes from autograd."""
# loses: criterion
# killed by: test_criterion_is_own_work[sq], test_criterion_is_own_work[ce]


# %% criterion-solution
def criterion(kind, Y, T):
    with torch.enable_grad():
        leaf = Y.clone().requires_grad_()
        if kind == "sq":
            loss = ((leaf - T) ** 2).sum() / len(leaf)
        else:
            loss = (torch.logsumexp(leaf, 1) - leaf[torch.arange(len(leaf)), T]).mean()
        loss.backward()
    return loss.item(), leaf.grad
