"""Forgot to divide the scores by sqrt(d)."""
# expect: attend=14 masks=12 positions=8 heads=0 layer=0 reviews=0

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.transpose(-2, -1)
    if allow is not None:
        scores = scores.masked_fill(allow == False, float("-inf"))
    w = torch.softmax(scores, dim=-1)
    w = torch.where(torch.isnan(w), torch.zeros_like(w), w)
    return w @ v, w

# %% masks-solution
def mask_future(L):
    return torch.ones(L, L, dtype=torch.bool).tril()


def mask_pads(lengths, L):
    return (torch.arange(L) < lengths.unsqueeze(1)).unsqueeze(1)


def mask_band(L, radius, globals=()):
    i = torch.arange(L).unsqueeze(1)
    j = torch.arange(L).unsqueeze(0)
    allow = (i - j).abs() <= radius
    if globals:
        allow[list(globals)] = True
        allow[:, list(globals)] = True
    return allow

# %% positions-solution
def wave_positions(L, d):
    t = torch.arange(L, dtype=torch.float32).unsqueeze(1)
    freq = torch.exp(-math.log(10000.0) * torch.arange(0, d, 2) / d)
    p = torch.zeros(L, d)
    p[:, 0::2] = torch.sin(t * freq)
    p[:, 1::2] = torch.cos(t * freq)[:, : d // 2]
    return p

# %% reflection
The band is much faster, 63 times for L = 4096 (33,943,552 against 2,147,483,648) and 4 times for L = 256
(1,994,752 against 8,388,608). But words that are far apart do not see each other.
