"""A mask must have the full shape of the scores."""
# loses: attend
# killed by: test_allow_broadcasts

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if allow is not None:
        if allow.dim() == 2 and scores.dim() == 3:
            allow = allow.repeat(scores.shape[0], 1, 1)
        scores[~allow] = -math.inf
    w = torch.softmax(scores, dim=-1).nan_to_num(0.0)
    return w @ v, w
