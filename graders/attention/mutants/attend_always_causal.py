"""Without a mask, the past alone is allowed."""
# loses: attend
# killed by: test_order_of_keys_does_not_matter, test_matches_reference

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if allow is None:
        allow = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
    if allow is not None:
        scores = scores.masked_fill(~allow, -math.inf)
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        w = w.masked_fill(~allow, 0.0)
    return w @ v, w
