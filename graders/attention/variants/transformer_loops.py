"""The modules as a beginner writes them: loops over heads and reviews, and masks as True/False lists."""

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
        means = []
        for b in range(B):
            n = int(lengths[b])
            if n == 0:
                means.append(torch.zeros_like(x[b, 0]))
            else:
                means.append(x[b, :n].mean(dim=0))
        return self.classify(torch.stack(means))
