"""An endless loop in wave_positions; the rest is right."""
# expect: attend=19 masks=12 positions=0 heads=0 layer=0 reviews=0

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = torch.matmul(q, k.transpose(-2, -1)) / math.sqrt(q.size(-1))
    if allow is None:
        w = torch.softmax(scores, dim=-1)
    else:
        scores = torch.where(allow, scores, torch.tensor(-1e9, dtype=scores.dtype))
        w = torch.softmax(scores, dim=-1) * allow
    return torch.matmul(w, v), w

# %% masks-solution
def mask_future(L):
    i = torch.arange(L)
    return i.unsqueeze(0) <= i.unsqueeze(1)


def mask_pads(lengths, L):
    return torch.arange(L).unsqueeze(0).unsqueeze(0) < lengths.unsqueeze(1).unsqueeze(2)


def mask_band(L, radius, globals=()):
    i = torch.arange(L)
    mask = (i.unsqueeze(1) - i.unsqueeze(0)).abs() <= radius
    for g in globals:
        mask[g] = True
        mask[:, g] = True
    return mask

# %% positions-solution
def wave_positions(L, d):
    p = torch.zeros(L, d)
    t = 0
    while t < L:
        column = 0
        while column < d:
            angle = t / 10000 ** (2 * (column // 2) / d)
            p[t, column] = math.sin(angle) if column % 2 == 0 else math.cos(angle)
            column += 1
    return p
