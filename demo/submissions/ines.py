"""Right, with loops, float64 inside, prints and warnings on stderr."""
# expect: attend=19 masks=12 positions=8 heads=0 layer=0 reviews=0

# %% attend-solution
import sys
import warnings


def attend(q, k, v, allow=None):
    warnings.warn("this is slow, use matmul!")
    print("attend called", tuple(q.shape), tuple(k.shape), file=sys.stderr)
    *batch, n, d = q.shape
    m, e = v.shape[-2:]
    if allow is None:
        allow = torch.ones(n, m, dtype=torch.bool)
    allow = torch.broadcast_to(allow, (*batch, n, m)).reshape(-1, n, m)
    qs, ks, vs = (x.double().reshape(-1, *x.shape[-2:]) for x in (q, k, v))
    w = torch.zeros(len(qs), n, m, dtype=torch.float64)
    for b in range(len(qs)):
        for i in range(n):
            seen = [j for j in range(m) if allow[b, i, j]]
            if not seen:
                continue
            scores = torch.stack([qs[b, i] @ ks[b, j] for j in seen]) / math.sqrt(d)
            powers = torch.exp(scores - scores.max())
            w[b, i, seen] = powers / powers.sum()
    out = w @ vs
    return out.reshape(*batch, n, e).to(q.dtype), w.reshape(*batch, n, m).to(q.dtype)


print("attend defined", file=sys.stderr)

# %% masks-solution
def mask_future(L):
    return torch.tensor([[j <= i for j in range(L)] for i in range(L)])


def mask_pads(lengths, L):
    print("lengths", lengths)
    return torch.tensor([[[j < n for j in range(L)]] for n in lengths.tolist()])


def mask_band(L, radius, globals=()):
    return torch.tensor(
        [[abs(i - j) <= radius or i in globals or j in globals for j in range(L)] for i in range(L)]
    )

# %% positions-solution
def wave_positions(L, d):
    table = torch.zeros(L, d, dtype=torch.float64)
    for t in range(L):
        for c in range(d):
            angle = t / 10000 ** (2 * (c // 2) / d)
            table[t, c] = math.sin(angle) if c % 2 == 0 else math.cos(angle)
    warnings.warn("float64 table")
    return table.float()
