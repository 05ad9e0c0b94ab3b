"""Everything right, in her own style: einsum and a helper."""
# expect: attend=19 masks=12 positions=8 heads=19 layer=10 reviews=17

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

# %% heads-solution
from torch import einsum

class Heads(nn.Module):
    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        if d_model % n_heads:
            raise ValueError("n_heads must divide d_model")
        self.h = n_heads
        for name in ("query", "key", "value", "output"):
            setattr(self, name, nn.Linear(d_model, d_model))

    def forward(self, x, context, allow=None):
        q, k, v = (
            layer(s).reshape(*s.shape[:-1], self.h, -1) for layer, s in zip((self.query, self.key, self.value), (x, context, context))
        )
        scores = einsum("bqhd,bkhd->bhqk", q, k) * q.size(-1) ** -0.5
        if allow is not None:
            allow = torch.broadcast_to(allow, (len(x), x.size(1), context.size(1)))[:, None]
            scores = torch.where(allow, scores, torch.finfo(scores.dtype).min)
        w = torch.softmax(scores, -1)
        if allow is not None:
            w = w * allow
        return self.output(einsum("bhqk,bkhd->bqhd", w, v).flatten(-2))

# %% layer-solution
class EncoderLayer(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.heads = Heads(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.expand = nn.Linear(d_model, d_hidden)
        self.contract = nn.Linear(d_hidden, d_model)
        self.p = dropout

    def drop(self, x):
        return nn.functional.dropout(x, self.p, self.training)

    def forward(self, x, allow=None):
        x = x + self.drop(self.heads(n := self.norm1(x), n, allow))
        x = x + self.drop(self.contract(self.expand(self.norm2(x)).clamp(min=0)))
        return x

# %% reviews-solution
class ReviewTransformer(nn.Module):
    def __init__(self, n_tokens, d_model, n_heads, n_layers, n_classes, max_length):
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, d_model, padding_idx=0)
        torch.nn.init.normal_(self.embedding.weight, 0.0, 0.1)
        self.positions = wave_positions(max_length, d_model)
        self.layers = nn.ModuleList([EncoderLayer(d_model, n_heads, 2 * d_model, 0.1) for _ in range(n_layers)])
        self.norm = nn.LayerNorm(d_model)
        self.classify = nn.Linear(d_model, n_classes)

    def forward(self, ids, lengths):
        real = torch.arange(ids.shape[1])[None] < lengths[:, None]
        x = self.embedding(ids) + self.positions[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x, real[:, None, :])
        x = self.norm(x).masked_fill(~real[..., None], 0.0)
        return self.classify(einsum("bld->bd", x) / torch.maximum(lengths, torch.ones_like(lengths)).unsqueeze(-1))

# %% reflection
With radius r the band has L(2r+1) - r(r+1) pairs and each pair costs 2 * 64 multiplications.

- L = 256: full 256² · 128 = 8,388,608, band 15,584 · 128 = 1,994,752 (4.2 times fewer)
- L = 4096: full 4096² · 128 = 2,147,483,648, band 265,184 · 128 = 33,943,552 (63 times fewer)

So full attention is quadratic and the band is linear, for short texts it does not pay.
Lost: tokens more than 32 apart cannot see each other in one layer. With n layers it is 32n, and one global token
connects everything in two layers, but squeezes it through one vector. It would hurt for coreference over pages.
Limitation: I did not count memory traffic.
