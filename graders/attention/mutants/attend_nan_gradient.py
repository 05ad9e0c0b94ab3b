"""NaN is put to 0 in the result, but lives on in the gradient."""
# loses: attend
# killed by: test_blind_rows_leave_gradients_finite

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if allow is not None:
        scores = scores + torch.zeros(allow.shape).masked_fill(~allow, -math.inf)
    w = torch.softmax(scores, dim=-1).nan_to_num(0.0)
    return w @ v, w
