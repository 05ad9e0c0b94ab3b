"""The softmax runs over all axes together."""
# loses: attend
# killed by: test_leading_axes_are_independent, test_weights_sum_to_one

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if allow is not None:
        scores = scores.masked_fill(~allow, -math.inf)
    w = torch.softmax(scores.flatten(), dim=0).reshape(scores.shape)
    if allow is not None:
        w = w.masked_fill(~allow, 0.0)
    return w @ v, w
