"""Everything is computed in bfloat16."""
# loses: attend
# killed by: test_matches_reference, test_float64_is_kept

# %% attend-solution
def attend(q, k, v, allow=None):
    q, k, v = q.bfloat16(), k.bfloat16(), v.bfloat16()
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if allow is not None:
        scores = scores.masked_fill(~allow, -math.inf)
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        w = w.masked_fill(~allow, 0.0)
    return w @ v, w
