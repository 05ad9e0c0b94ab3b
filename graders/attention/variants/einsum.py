"""einsum and where; a list in place of the tuple; logarithms and exponentials for the frequencies."""

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = torch.einsum("...id,...jd->...ij", q, k) * q.size(-1) ** -0.5
    if allow is not None:
        scores = torch.where(allow, scores, float("-inf"))
    w = scores.softmax(-1).nan_to_num()
    return [torch.einsum("...ij,...je->...ie", w, v), w]

# %% masks-solution
def mask_future(L):
    i = torch.arange(L)
    return i[None, :] <= i[:, None]

def mask_pads(lengths, L):
    return (torch.arange(L)[None] < lengths.unsqueeze(1)).unsqueeze(1)

def mask_band(L, radius, globals=()):
    i = torch.arange(L)
    is_global = torch.zeros(L, dtype=torch.bool)
    is_global[list(globals)] = True
    return ((i[:, None] - i).abs() <= radius) | is_global[:, None] | is_global

# %% positions-solution
def wave_positions(L, d):
    p = torch.zeros(L, d)
    frequency = torch.exp(torch.arange(0, d, 2).float() * (-math.log(10000.0) / d))
    angle = torch.arange(L).float().unsqueeze(1) * frequency
    p[:, 0::2] = torch.sin(angle)
    p[:, 1::2] = torch.cos(angle[:, : d // 2])
    return p
