"""Everything right, in her own style: einsum and a helper."""
# expect: attend=19 masks=12 positions=8

# %% attend-solution
def masked_softmax(scores, allow):
    if allow is None:
        return scores.softmax(dim=-1)
    w = scores.masked_fill(~allow, float("-inf")).softmax(dim=-1)
    # rows where nothing is allowed come out as nan
    return w.nan_to_num(0.0)


def attend(q, k, v, allow=None):
    scores = torch.einsum("...qd,...kd->...qk", q, k) / math.sqrt(k.shape[-1])
    w = masked_softmax(scores, allow)
    return torch.einsum("...qk,...ke->...qe", w, v), w

# %% masks-solution
def distance(L):
    """Signed distance from query (row) to key (column)."""
    place = torch.arange(L)
    return place[:, None] - place[None, :]


def mask_future(L):
    return distance(L) >= 0


def mask_pads(lengths, L):
    return torch.arange(L)[None, None, :] < lengths[:, None, None]


def mask_band(L, radius, globals=()):
    allow = distance(L).abs() <= radius
    for g in globals:
        allow[g] = True
        allow[:, g] = True
    return allow

# %% positions-solution
def wave_positions(L, d):
    pairs = (d + 1) // 2
    frequency = 10000 ** (-2 * torch.arange(pairs) / d)
    angle = torch.arange(L)[:, None] * frequency
    return torch.stack([angle.sin(), angle.cos()], dim=-1).reshape(L, 2 * pairs)[:, :d]

# %% reflection
With radius r the band has L(2r+1) - r(r+1) pairs and each pair costs 2 * 64 multiplications.

- L = 256: full 256² · 128 = 8,388,608, band 15,584 · 128 = 1,994,752 (4.2 times fewer)
- L = 4096: full 4096² · 128 = 2,147,483,648, band 265,184 · 128 = 33,943,552 (63 times fewer)

So full attention is quadratic and the band is linear, for short texts it does not pay.
Lost: tokens more than 32 apart cannot see each other in one layer. With n layers it is 32n, and one global token
connects everything in two layers, but squeezes it through one vector. It would hurt for coreference over pages.
Limitation: I did not count memory traffic.
