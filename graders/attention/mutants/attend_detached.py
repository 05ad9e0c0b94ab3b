"""The weights are cut off from the gradient."""
# loses: attend
# killed by: test_gradients_match_reference

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if allow is not None:
        scores = scores.masked_fill(~allow, -math.inf)
    w = torch.softmax(scores, dim=-1).detach()
    if allow is not None:
        w = w.masked_fill(~allow, 0.0)
    return w @ v, w
