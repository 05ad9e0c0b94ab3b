"""The modules built from helpers: a base class, a residual wrapper, nn.Sequential over the fixed layers, prints."""

# %% heads-solution
class Base(nn.Module):
    """Counts its calls and says so on stderr."""

    calls = 0

    def __call__(self, *args, **kwargs):
        type(self).calls += 1
        if type(self).calls == 1:
            import sys

            print(f"{type(self).__name__} is called for the first time", file=sys.stderr)
        return super().__call__(*args, **kwargs)


def to_heads(x, h):
    b, n, d = x.size()
    return torch.permute(torch.reshape(x, (b, n, h, d // h)), (0, 2, 1, 3)).contiguous()


def from_heads(x):
    b, h, n, d = x.size()
    return torch.permute(x, (0, 2, 1, 3)).reshape(b, n, h * d)


class Heads(Base):
    def __init__(self, d_model, n_heads):
        if d_model % n_heads != 0:
            raise ValueError(d_model, n_heads)
        super().__init__()
        self.add_module("query", nn.Linear(d_model, d_model))
        self.add_module("key", nn.Linear(d_model, d_model))
        self.add_module("value", nn.Linear(d_model, d_model))
        self.add_module("output", nn.Linear(d_model, d_model))
        self.last_weights = None
        self.n = n_heads

    def forward(self, x, context, allow=None):
        if allow is not None:
            while allow.dim() < 3:
                allow = allow[None]
            allow = allow[:, None].repeat(1, self.n, 1, 1)
        out, self.last_weights = attend(
            to_heads(self.query(x), self.n), to_heads(self.key(context), self.n), to_heads(self.value(context), self.n), allow
        )
        return self.output(from_heads(out))

# %% layer-solution
class EncoderLayer(Base):
    def __init__(self, d_model, n_heads, d_hidden, dropout=0.1):
        super().__init__()
        self.norm1 = nn.LayerNorm([d_model])
        self.norm2 = nn.LayerNorm([d_model])
        self.heads = Heads(d_model, n_heads)
        self.expand = nn.Linear(d_model, d_hidden)
        self.contract = nn.Linear(d_hidden, d_model)
        self.activation = nn.ReLU()
        self.drop = nn.Dropout(dropout)

    def attention_half(self, x, allow):
        normed = self.norm1(x)
        return self.drop(self.heads(normed, normed, allow=allow))

    def network_half(self, x):
        steps = [self.norm2, self.expand, self.activation, self.contract, self.drop]
        for step in steps:
            x = step(x)
        return x

    def forward(self, x, allow=None):
        x = torch.add(x, self.attention_half(x, allow))
        return torch.add(x, self.network_half(x))

# %% reviews-solution
def masked_mean(x, real):
    weights = real.to(x.dtype)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1.0)
    return torch.matmul(weights.unsqueeze(1), x).squeeze(1)


class ReviewTransformer(Base):
    def __init__(self, n_tokens, d_model, n_heads, n_layers, n_classes, max_length):
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, d_model)
        with torch.no_grad():
            self.embedding.weight.copy_(torch.randn(n_tokens, d_model) * 0.1)
        self.layers = nn.ModuleList(EncoderLayer(d_model, n_heads, d_model * 2) for _ in range(n_layers))
        self.norm = nn.LayerNorm(d_model)
        self.classify = nn.Linear(d_model, n_classes)
        self.register_buffer("waves", wave_positions(max_length, d_model))

    def forward(self, ids, lengths):
        real = mask_pads(lengths, ids.size(1)).squeeze(1)
        x = self.embedding(ids) + self.waves[None, : ids.size(1)]
        for layer in self.layers:
            x = layer(x, real.unsqueeze(1).expand(-1, ids.size(1), -1))
        return self.classify(masked_mean(self.norm(x), real))
