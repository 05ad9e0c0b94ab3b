"""The mask is ignored."""
# loses: attend
# killed by: test_forbidden_keys_get_no_weight, test_forbidden_keys_have_no_influence

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    w = torch.softmax(scores, dim=-1)
    return w @ v, w
