"""A syntax error in the cell of attend; the rest is right."""
# expect: attend=0 masks=12 positions=8 heads=0 layer=0 reviews=0

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]
    if allow is not None:
        scores = scores.masked_fill(~allow, -math.inf)
    w = torch.softmax(scores, dim=-1).nan_to_num()
    return w @ v, w

# %% masks-solution
def mask_future(L):
    return torch.ones(L, L).tril() == 1


def mask_pads(lengths, L):
    return torch.stack([torch.arange(L) < n for n in lengths])[:, None]


def mask_band(L, radius, globals=()):
    mask = torch.ones(L, L).triu(-radius).tril(radius) == 1
    for g in globals:
        mask[g, :] = True
        mask[:, g] = True
    return mask

# %% positions-solution
def wave_positions(L, d):
    half = (d + 1) // 2
    angle = torch.arange(L)[:, None] / 10000 ** (2 * torch.arange(half) / d)
    p = torch.zeros(L, 2 * half)
    p[:, ::2] = angle.sin()
    p[:, 1::2] = angle.cos()
    return p[:, :d]
