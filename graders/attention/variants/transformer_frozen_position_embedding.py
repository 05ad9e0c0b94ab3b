"""The table of positions is a frozen nn.Embedding."""

# %% reviews-solution
class ReviewTransformer(nn.Module):
    def __init__(self, n_tokens, d_model, n_heads, n_layers, n_classes, max_length):
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, d_model)
        nn.init.normal_(self.embedding.weight, mean=0.0, std=0.1)
        self.pos_embedding = nn.Embedding.from_pretrained(wave_positions(max_length, d_model), freeze=True)
        self.layers = nn.ModuleList([EncoderLayer(d_model, n_heads, 2 * d_model, 0.1) for _ in range(n_layers)])
        self.norm = nn.LayerNorm(d_model)
        self.classify = nn.Linear(d_model, n_classes)
        pass

    def forward(self, ids, lengths):
        L = ids.size(1)
        mask = mask_pads(lengths, L)
        x = self.embedding(ids) + self.pos_embedding(torch.arange(L, device=ids.device))
        for layer in self.layers:
            x = layer(x, mask)
        x = self.norm(x)
        return self.classify((x * mask.squeeze(1).unsqueeze(2)).sum(1) / lengths.clamp(min=1).unsqueeze(1))
