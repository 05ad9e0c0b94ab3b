"""The scores are divided by the root of the number of keys."""
# loses: attend
# killed by: test_doubled_width_scales_scores, test_matches_reference

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-2])
    if allow is not None:
        scores = scores.masked_fill(~allow, -math.inf)
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        w = w.masked_fill(~allow, 0.0)
    return w @ v, w
