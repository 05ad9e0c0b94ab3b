"""Forbidden scores become -10000; an allowed one can be lower."""
# loses: attend
# killed by: test_large_scores_stay_finite

# %% attend-solution
def attend(q, k, v, allow=None):
    """Average the values, weighted by how well each query matches each key.

    Args:
        q: queries, shape (..., Lq, d).
        k: keys, shape (..., Lk, d).
        v: values, shape (..., Lk, e).
        allow: bool, broadcasts to (..., Lq, Lk), True = may look; None allows everything.

    Returns:
        (out, w): outputs of shape (..., Lq, e), weights of shape (..., Lq, Lk).
    """
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if allow is not None:
        scores = scores.masked_fill(~allow, -1e4)
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        # A row of -inf alone has no softmax (0 / 0): such a query looks at nothing.
        w = w.masked_fill(~allow, 0.0)
    return w @ v, w
