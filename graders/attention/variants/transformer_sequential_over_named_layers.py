"""The small network is an nn.Sequential over the layers with the fixed names, made after them."""

# %% layer-solution
class EncoderLayer(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.heads = Heads(d_model, n_heads)
        self.expand = nn.Linear(d_model, d_hidden)
        self.contract = nn.Linear(d_hidden, d_model)
        self.dropout = nn.Dropout(dropout)
        self.network = nn.Sequential(self.norm2, self.expand, nn.ReLU(inplace=True), self.contract, self.dropout)

    def forward(self, x, allow=None):
        n = self.norm1(x)
        x = x + self.dropout(self.heads(n, n, allow))
        return x + self.network(x)

# %% reviews-solution
class ReviewTransformer(nn.Module):
    def __init__(self, n_tokens, d_model, n_heads, n_layers, n_classes, max_length):
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, d_model)
        nn.init.normal_(self.embedding.weight, mean=0.0, std=0.1)
        self.register_buffer("pos", wave_positions(max_length, d_model))
        self.layers = nn.ModuleList([EncoderLayer(d_model, n_heads, 2 * d_model, 0.1) for _ in range(n_layers)])
        self.norm = nn.LayerNorm(d_model)
        self.classify = nn.Linear(d_model, n_classes)
        pass

    def forward(self, ids, lengths):
        L = ids.size(1)
        mask = mask_pads(lengths, L)
        x = self.embedding(ids) + self.pos[:L]
        for layer in self.layers:
            x = layer(x, mask)
        x = self.norm(x)
        return self.classify((x * mask.squeeze(1).unsqueeze(2)).sum(1) / lengths.clamp(min=1).unsqueeze(1))
