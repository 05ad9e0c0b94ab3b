"""The axes are named by position: one batch axis is taken for granted."""
# loses: attend
# killed by: test_leading_axes_are_independent

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
    if allow is not None:
        scores = scores.masked_fill(~allow, -math.inf)
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        w = w.masked_fill(~allow, 0.0)
    return w @ v, w
