"""Forbidden keys lose 5 points of score instead of all."""
# loses: attend
# killed by: test_forbidden_keys_get_no_weight

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if allow is not None:
        scores = scores - 5 * (~allow).float()
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        w = w * allow.any(dim=-1, keepdim=True)
    return w @ v, w
