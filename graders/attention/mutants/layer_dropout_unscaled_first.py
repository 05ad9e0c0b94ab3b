"""The first half drops without scaling what is kept."""
# loses: layer
# killed by: test_dropout_in_training_only[heads.output]

# %% layer-solution
class EncoderLayer(nn.Module):
    """Add what the heads find, then what a small network makes of each position.

    Args:
        d_model: width D of the tokens.
        n_heads: number of heads.
        d_hidden: width inside the small network.
        dropout: probability of dropping a value of what is added.
    """

    def __init__(self, d_model, n_heads, d_hidden, dropout):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.heads = Heads(d_model, n_heads)
        self.norm2 = nn.LayerNorm(d_model)
        self.expand = nn.Linear(d_model, d_hidden)
        self.contract = nn.Linear(d_hidden, d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, allow=None):
        """Map x (B, L, D) to (B, L, D); allow broadcasts to (B, L, L)."""
        normed = self.norm1(x)
        kept = self.heads(normed, normed, allow)
        if self.training:
            kept = kept * (torch.rand_like(kept) >= self.dropout.p)
        y = x + kept
        return y + self.dropout(self.contract(torch.relu(self.expand(self.norm2(y)))))
