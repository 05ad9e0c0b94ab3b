"""One thing wrong: global positions look everywhere, but not everyone may look at them."""
# expect: attend=19 masks=10 positions=8

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if allow is not None:
        scores = scores.masked_fill(~allow, float("-inf"))
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        w = w.masked_fill(~allow.any(dim=-1, keepdim=True), 0.0)
    return w @ v, w

# %% masks-solution
def mask_future(L):
    return torch.tril(torch.ones(L, L, dtype=torch.bool))


def mask_pads(lengths, L):
    return (torch.arange(L)[None, :] < lengths[:, None])[:, None, :]


def mask_band(L, radius, globals=()):
    rows = torch.arange(L)[:, None]
    columns = torch.arange(L)[None, :]
    mask = (rows - columns).abs() <= radius
    for g in globals:
        mask[g, :] = True
    return mask

# %% positions-solution
def wave_positions(L, d):
    p = torch.zeros(L, d)
    t = torch.arange(L)[:, None]
    i = torch.arange(0, d, 2)
    angle = t / 10000 ** (i / d)
    p[:, 0::2] = angle.sin()
    p[:, 1::2] = angle[:, : d // 2].cos()
    return p
