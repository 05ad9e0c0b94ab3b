"""The positions are not added."""
# loses: reviews
# killed by: test_order_of_words_matters, test_model_matches_reference
# measured by: test_learns_negation

# %% reviews-solution
class ReviewTransformer(nn.Module):
    """Read a review and give each class a score.

    Args:
        n_tokens: size of the vocabulary.
        d_model: width D of the tokens.
        n_heads: heads of each layer.
        n_layers: number of layers.
        n_classes: number C of classes.
        max_length: largest number of tokens.
    """

    def __init__(self, n_tokens, d_model, n_heads, n_layers, n_classes, max_length):
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, d_model)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.register_buffer("positions", wave_positions(max_length, d_model), persistent=False)
        self.layers = nn.ModuleList(EncoderLayer(d_model, n_heads, 2 * d_model, 0.1) for _ in range(n_layers))
        self.norm = nn.LayerNorm(d_model)
        self.classify = nn.Linear(d_model, n_classes)

    def forward(self, ids, lengths):
        """Map ids (B, L) and lengths (B,) to logits (B, C)."""
        allow = mask_pads(lengths, ids.shape[1])  # (B, 1, L)
        x = self.embedding(ids)
        for layer in self.layers:
            x = layer(x, allow)
        real = allow.transpose(1, 2)  # (B, L, 1)
        total = (self.norm(x) * real).sum(dim=1)
        return self.classify(total / lengths.clamp(min=1)[:, None])
