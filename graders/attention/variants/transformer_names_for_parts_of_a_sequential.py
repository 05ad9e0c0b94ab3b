"""The small network is made as an nn.Sequential first; its parts get the fixed names."""

# %% layer-solution
class EncoderLayer(nn.Module):
    def __init__(self, d_model, n_heads, d_hidden, dropout):
        super().__init__()
        self.norm1 = nn.LayerNorm(d_model)
        self.norm2 = nn.LayerNorm(d_model)
        self.heads = Heads(d_model, n_heads)
        self.dropout = nn.Dropout(dropout)
        self.network = nn.Sequential(nn.Linear(d_model, d_hidden), nn.ReLU(), nn.Linear(d_hidden, d_model))
        self.expand, self.contract = self.network[0], self.network[2]

    def forward(self, x, allow=None):
        n = self.norm1(x)
        x = x + self.dropout(self.heads(n, n, allow))
        return x + self.dropout(self.network(self.norm2(x)))
