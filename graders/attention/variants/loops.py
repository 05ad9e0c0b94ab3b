"""Plain Python loops over every index, as a beginner would write them."""

# %% attend-solution
def attend(q, k, v, allow=None):
    *batch, Lq, d = q.shape
    Lk, e = v.shape[-2:]
    if allow is None:
        allow = torch.ones(Lq, Lk, dtype=torch.bool)
    allow = allow.expand(*batch, Lq, Lk).reshape(-1, Lq, Lk)
    q2, k2, v2 = q.reshape(-1, Lq, d), k.reshape(-1, Lk, d), v.reshape(-1, Lk, e)
    outs, ws = [], []
    for b in range(len(q2)):
        for i in range(Lq):
            out = torch.zeros(e, dtype=v.dtype)
            w = [torch.zeros((), dtype=q.dtype) for j in range(Lk)]
            scores = {}
            for j in range(Lk):
                if allow[b, i, j]:
                    scores[j] = (q2[b, i] * k2[b, j]).sum() / d**0.5
            if len(scores) > 0:
                biggest = max(scores.values())
                total = sum(torch.exp(s - biggest) for s in scores.values())
                for j, s in scores.items():
                    w[j] = torch.exp(s - biggest) / total
                    out = out + w[j] * v2[b, j]
            outs.append(out)
            ws.append(torch.stack(w))
    return torch.stack(outs).reshape(*batch, Lq, e), torch.stack(ws).reshape(*batch, Lq, Lk)

# %% masks-solution
def mask_future(L):
    mask = torch.zeros(L, L, dtype=torch.bool)
    for i in range(L):
        for j in range(i + 1):
            mask[i, j] = True
    return mask

def mask_pads(lengths, L):
    rows = []
    for n in lengths:
        rows.append([[True] * int(n) + [False] * (L - int(n))])
    return torch.tensor(rows)

def mask_band(L, radius, globals=()):
    mask = torch.zeros(L, L).bool()
    for i in range(L):
        for j in range(L):
            if abs(i - j) <= radius or i in globals or j in globals:
                mask[i][j] = True
    return mask

# %% positions-solution
def wave_positions(L, d):
    p = torch.empty(L, d)
    for t in range(L):
        for c in range(d):
            angle = t / 10000 ** ((c - c % 2) / d)
            p[t, c] = math.cos(angle) if c % 2 else math.sin(angle)
    return p
