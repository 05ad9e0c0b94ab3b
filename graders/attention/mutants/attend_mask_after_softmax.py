"""The mask multiplies the weights after the softmax."""
# loses: attend
# killed by: test_forbidden_keys_get_no_weight, test_forbidden_keys_have_no_influence, test_future_does_not_leak

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        w = w.masked_fill(~allow, 0.0)
    return w @ v, w
