"""All allowed keys get the same weight, whatever the queries."""
# loses: attend
# killed by: test_doubled_width_scales_scores, test_matches_reference

# %% attend-solution
def attend(q, k, v, allow=None):
    w = torch.ones(*q.shape[:-1], k.shape[-2], dtype=q.dtype)
    if allow is not None:
        w = w * allow
    w = w / w.sum(dim=-1, keepdim=True).clamp(min=1)
    return w @ v, w
