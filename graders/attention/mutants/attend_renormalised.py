"""The weights are masked after the softmax and divided by their sum, which can be 0."""
# loses: attend
# killed by: test_large_scores_stay_finite

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        w = w * allow
        w = w / (w.sum(dim=-1, keepdim=True) + 1e-9)
    return w @ v, w
