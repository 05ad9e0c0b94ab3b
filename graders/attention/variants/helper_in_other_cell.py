"""Helpers stand in a later solution cell; the table of positions carries a gradient."""

# %% attend-solution
def attend(q, k, v, allow=None):
    w = normalise(similarity(q, k), allow)
    return average(w, v), w

# %% masks-solution
def compare(L, rule):
    place = torch.arange(L)
    return rule(place.unsqueeze(1), place.unsqueeze(0))

def mask_future(L):
    return compare(L, lambda query, key: key <= query)

def mask_pads(lengths, L):
    return torch.stack([(torch.arange(L) < n).unsqueeze(0) for n in lengths])

def mask_band(L, radius, globals=()):
    near = compare(L, lambda query, key: (query - key).abs() <= radius)
    chosen = sum((torch.arange(L) == g for g in globals), torch.zeros(L, dtype=torch.bool))
    return near.logical_or(chosen).logical_or(chosen[:, None])

# %% positions-solution
def similarity(q, k):
    return (q.unsqueeze(-2) * k.unsqueeze(-3)).sum(-1) / math.sqrt(q.shape[-1])

def normalise(scores, allow):
    if allow is None:
        return torch.softmax(scores, -1)
    # exp of the scores less the largest allowed one, zero elsewhere
    shown = scores.masked_fill(~allow, -math.inf)
    top = shown.amax(-1, keepdim=True).clamp(min=torch.finfo(scores.dtype).min)
    power = torch.exp(shown - top)
    return power / power.sum(-1, keepdim=True).clamp(min=1e-30)

def average(w, v):
    return (w.unsqueeze(-1) * v.unsqueeze(-3)).sum(-2)

def wave_positions(L, d):
    even = d + d % 2
    angle = [[t * 10000 ** (-2 * i / d) for i in range(even // 2)] for t in range(L)]
    rows = [[f(a) for a in row for f in (math.sin, math.cos)][:d] for row in angle]
    return torch.tensor(rows, requires_grad=True)
