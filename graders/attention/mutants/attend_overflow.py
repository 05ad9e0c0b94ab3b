"""The softmax is written by hand and overflows."""
# loses: attend
# killed by: test_large_scores_stay_finite

# %% attend-solution
def attend(q, k, v, allow=None):
    weights = torch.exp(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]))
    if allow is not None:
        weights = weights * allow
    total = weights.sum(dim=-1, keepdim=True)
    w = weights / torch.where(total > 0, total, 1.0)
    return w @ v, w
