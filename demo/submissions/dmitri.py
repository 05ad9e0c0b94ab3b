"""Multiplies with the mask after the softmax."""
# expect: attend=12 masks=12 positions=8 heads=0 layer=0 reviews=0

# %% attend-solution
def attend(q, k, v, allow=None):
    d = q.shape[-1]
    w = torch.softmax(q @ k.transpose(-2, -1) / d ** 0.5, dim=-1)
    if allow is not None:
        w = w * allow
    return w @ v, w

# %% masks-solution
def mask_future(L):
    return ~torch.triu(torch.ones(L, L, dtype=torch.bool), diagonal=1)


def mask_pads(lengths, L):
    B = lengths.shape[0]
    return torch.arange(L).view(1, 1, L).expand(B, 1, L) < lengths.view(B, 1, 1)


def mask_band(L, radius, globals=()):
    idx = torch.arange(L)
    band = (idx.view(-1, 1) - idx.view(1, -1)).abs() <= radius
    g = torch.zeros(L, dtype=torch.bool)
    for p in globals:
        g[p] = True
    return band | g.view(-1, 1) | g.view(1, -1)

# %% positions-solution
def wave_positions(L, d):
    c = torch.arange(d)
    angle = torch.arange(L).view(-1, 1) / torch.pow(10000, 2 * (c // 2) / d)
    return torch.where(c % 2 == 0, torch.sin(angle), torch.cos(angle))
