"""Axes of length 1 are dropped from the result."""
# loses: attend
# killed by: test_single_query_and_key

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if allow is not None:
        scores = scores.masked_fill(~allow, -math.inf)
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        w = w.masked_fill(~allow, 0.0)
    return (w @ v).squeeze(), w.squeeze()
