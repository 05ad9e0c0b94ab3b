"""Two things wrong: not everyone may look at global positions, and the mean of a review counts its pads."""
# expect: attend=19 masks=10 positions=8 heads=19 layer=10 reviews=7

# %% attend-solution
def attend(q, k, v, allow=None):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    if allow is not None:
        scores = scores.masked_fill(~allow, float("-inf"))
    w = torch.softmax(scores, dim=-1)
    if allow is not None:
        w = w.masked_fill(~allow.any(dim=-1, keepdim=True), 0.0)
    return w @ v, w

# %% masks-solution
def mask_future(L):
    return torch.tril(torch.ones(L, L, dtype=torch.bool))


def mask_pads(lengths, L):
    return (torch.arange(L)[None, :] < lengths[:, None])[:, None, :]


def mask_band(L, radius, globals=()):
    rows = torch.arange(L)[:, None]
    columns = torch.arange(L)[None, :]
    mask = (rows - columns).abs() <= radius
    for g in globals:
        mask[g, :] = True
    return mask

# %% positions-solution
def wave_positions(L, d):
    p = torch.zeros(L, d)
    t = torch.arange(L)[:, None]
    i = torch.arange(0, d, 2)
    angle = t / 10000 ** (i / d)
    p[:, 0::2] = angle.sin()
    p[:, 1::2] = angle[:, : d // 2].cos()
    return p

# %% heads-solution
class Heads(nn.Module):
    def __init__(self, d_model, n_heads):
        super().__init__()
        if d_model / n_heads != d_model // n_heads:
            raise ValueError("does not fit")
        self.width = d_model // n_heads
        self.query = nn.Linear(d_model, d_model, bias=True)
        self.key = nn.Linear(d_model, d_model, bias=True)
        self.value = nn.Linear(d_model, d_model, bias=True)
        self.output = nn.Linear(d_model, d_model, bias=True)

    def forward(self, x, context, allow=None):
        Q = self.query(x)
        K = self.key(context)
        V = self.value(context)
        parts = []
        for start in range(0, Q.shape[-1], self.width):
            cut = slice(start, start + self.width)
            out, w = attend(Q[..., cut], K[..., cut], V[..., cut], allow)
            parts.append(out)
        return self.output(torch.cat(parts, dim=-1))

# %% layer-solution
class EncoderLayer(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout):
        super().__init__()
        self.heads = Heads(d_model, n_heads)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.expand, self.contract = nn.Linear(d_model, d_hidden), nn.Linear(d_hidden, d_model)
        self.drop_a, self.drop_b = nn.Dropout(dropout), nn.Dropout(dropout)

    def forward(self, x, allow=None):
        a = self.heads(self.norm1(x), self.norm1(x), allow)
        a = self.drop_a(a)
        x = x + a
        b = self.expand(self.norm2(x))
        b[b < 0] = 0
        b = self.contract(b)
        b = self.drop_b(b)
        return x + b

# %% reviews-solution
class ReviewTransformer(nn.Module):
    def __init__(self, n_tokens, d_model, n_heads, n_layers, n_classes, max_length):
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, d_model)
        self.embedding.weight.data.mul_(0.1)
        self.layers = nn.ModuleList()
        for i in range(n_layers):
            self.layers.append(EncoderLayer(d_model, n_heads, 2 * d_model, 0.1))
        self.norm = nn.LayerNorm(d_model)
        self.classify = nn.Linear(d_model, n_classes)

    def forward(self, ids, lengths):
        B, L = ids.shape
        x = self.embedding(ids) + wave_positions(L, self.embedding.embedding_dim)
        mask = mask_pads(lengths, L)
        for layer in self.layers:
            x = layer(x, mask)
        x = self.norm(x)
        return self.classify(x.mean(dim=1))
