"""The modules with einsum, a parameter table of its own, and everything in as few lines as possible."""

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
