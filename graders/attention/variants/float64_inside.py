"""Everything is computed in float64, and rounded at the end."""

# %% attend-solution
def attend(q, k, v, allow=None):
    dtype = q.dtype
    q, k, v = q.double(), k.double(), v.double()
    scores = torch.matmul(q, k.mT) / torch.tensor(float(q.shape[-1]), dtype=torch.float64).sqrt()
    if allow is None:
        allow = torch.ones_like(scores, dtype=torch.bool)
    w = torch.softmax(scores.masked_fill(~allow, -1e30), -1) * allow
    return torch.matmul(w, v).to(dtype), w.to(dtype)

# %% masks-solution
def mask_future(L):
    return torch.triu(torch.ones(L, L), diagonal=1) == 0

def mask_pads(lengths, L):
    steps = torch.arange(L, dtype=torch.float64).repeat(len(lengths), 1)
    return steps.lt(lengths.double().view(-1, 1)).view(len(lengths), 1, L)

def mask_band(L, radius, globals=()):
    ones = torch.ones(L, L, dtype=torch.float64)
    mask = torch.tril(torch.triu(ones, -radius), radius)
    for g in globals:
        mask[g] = 1
        mask[:, g] = 1
    return mask > 0

# %% positions-solution
def wave_positions(L, d):
    t = torch.arange(L, dtype=torch.float64)[:, None]
    c = torch.arange(d, dtype=torch.float64)[None]
    angle = t / torch.pow(torch.tensor(10000.0, dtype=torch.float64), 2 * torch.floor(c / 2) / d)
    return torch.sin(angle + (c % 2) * math.pi / 2).float()
