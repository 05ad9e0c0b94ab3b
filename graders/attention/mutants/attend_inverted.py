"""True in the mask is taken as forbidden."""
# loses: attend
# killed by: test_forbidden_keys_get_no_weight, test_forbidden_keys_have_no_influence, test_future_does_not_leak

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if allow is not None:
        scores = scores.masked_fill(allow, -math.inf)
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        w = w.masked_fill(allow, 0.0)
    return w @ v, w
