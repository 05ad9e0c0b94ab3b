"""What the heads read is cut off from the gradient."""
# loses: layer
# killed by: test_layer_learns

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
        normed = self.norm1(x.detach())
        y = x + self.dropout(self.heads(normed, normed, allow))
        return y + self.dropout(self.contract(torch.relu(self.expand(self.norm2(y)))))
