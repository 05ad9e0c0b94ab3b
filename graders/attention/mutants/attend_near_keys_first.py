"""Later keys get a small penalty."""
# loses: attend
# killed by: test_order_of_keys_does_not_matter

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if allow is not None:
        scores = scores.masked_fill(~allow, -math.inf)
    scores = scores - 0.1 * torch.arange(k.shape[-2])
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        w = w.masked_fill(~allow, 0.0)
    return w @ v, w
