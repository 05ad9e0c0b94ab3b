"""The softmax by hand, with the largest allowed score subtracted; additive -inf mask; bmm on flattened axes."""

# %% attend-solution
def softmax(x):
    top = x.max(dim=-1, keepdim=True).values
    top = torch.where(torch.isinf(top), torch.zeros_like(top), top)
    e = (x - top).exp()
    total = e.sum(-1, keepdim=True)
    return e / torch.where(total == 0, torch.ones_like(total), total)

def attend(q, k, v, allow=None):
    batch = q.shape[:-2]
    q3 = q.reshape(-1, *q.shape[-2:])
    k3 = k.reshape(-1, *k.shape[-2:])
    v3 = v.reshape(-1, *v.shape[-2:])
    scores = torch.bmm(q3, k3.permute(0, 2, 1)).div(q.shape[-1] ** 0.5)
    scores = scores.view(*batch, *scores.shape[-2:])
    if allow is not None:
        bias = torch.zeros(allow.shape, dtype=q.dtype)
        bias[allow == False] = float("-inf")
        scores = scores + bias
    w = softmax(scores)
    out = torch.bmm(w.reshape(-1, *w.shape[-2:]), v3)
    return out.view(*batch, *out.shape[-2:]), w

# %% masks-solution
def mask_future(L):
    return torch.cumsum(torch.eye(L), dim=0).T.triu().T.bool()

def mask_pads(lengths, L):
    mask = torch.full((lengths.shape[0], 1, L), True)
    for b, n in enumerate(lengths.tolist()):
        mask[b, 0, n:] = False
    return mask

def mask_band(L, radius, globals=()):
    mask = torch.ones(L, L).bool()
    for i in range(L):
        mask[i, : max(0, i - radius)] = False
        mask[i, i + radius + 1 :] = False
    if len(globals) > 0:
        g = torch.tensor(globals)
        mask.index_fill_(0, g, True)
        mask.index_fill_(1, g, True)
    return mask

# %% positions-solution
def wave_positions(L, d):
    pairs = math.ceil(d / 2)
    frequency = 1.0 / (10000 ** (torch.arange(pairs).float() * 2 / d))
    angle = torch.outer(torch.arange(L).float(), frequency)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)[:, :d]
