"""Half done: masks and positions are right, attention is not started."""
# expect: attend=0 masks=12 positions=8 heads=0 layer=0 reviews=0

# %% masks-solution
def mask_future(L):
    return torch.tril(torch.ones(L, L)).bool()


def mask_pads(lengths, L):
    mask = torch.zeros(len(lengths), 1, L, dtype=torch.bool)
    for b in range(len(lengths)):
        mask[b, 0, : lengths[b]] = True
    return mask


def mask_band(L, radius, globals=()):
    mask = torch.zeros(L, L, dtype=torch.bool)
    for i in range(L):
        for j in range(L):
            mask[i, j] = abs(i - j) <= radius or i in globals or j in globals
    return mask

# %% positions-solution
def wave_positions(L, d):
    p = torch.zeros(L, d)
    t = torch.arange(L).float()
    for i in range(d):
        f = 10000 ** (2 * (i // 2) / d)
        if i % 2 == 0:
            p[:, i] = torch.sin(t / f)
        else:
            p[:, i] = torch.cos(t / f)
    return p
