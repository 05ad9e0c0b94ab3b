"""A row without allowed keys becomes NaN."""
# loses: attend
# killed by: test_row_without_allowed_keys_is_zero

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if allow is not None:
        scores = scores.masked_fill(~allow, -math.inf)
    w = torch.softmax(scores, dim=-1)
    return w @ v, w
