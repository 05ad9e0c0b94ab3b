"""A mask of two axes is taken for one of pads if there are as many sequences as queries."""
# loses: heads
# killed by: test_mask_of_two_axes_holds_for_all_sequences

# %% heads-solution
class Heads(nn.Module):
    """Attend with several heads, each on its own slice of the width.

    Args:
        d_model: width D of the tokens.
        n_heads: number of heads, a divisor of D.
    """

    def __init__(self, d_model, n_heads):
        super().__init__()
        if d_model % n_heads != 0:
            raise ValueError(f"{n_heads} heads do not divide a width of {d_model}")
        self.n_heads = n_heads
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.output = nn.Linear(d_model, d_model)

    def forward(self, x, context, allow=None):
        """Map x (B, Lq, D) and context (B, Lk, D) to (B, Lq, D); allow broadcasts to (B, Lq, Lk)."""
        if allow is not None and allow.dim() == 2 and allow.shape[0] == x.shape[0]:
            allow = allow[:, None, None]
        elif allow is not None and allow.dim() == 3:
            allow = allow.unsqueeze(1)  # the same for every head
        q, k, v = self._split(self.query(x)), self._split(self.key(context)), self._split(self.value(context))
        out, _ = attend(q, k, v, allow)
        return self.output(out.transpose(1, 2).flatten(2))

    def _split(self, x):
        """Cut the width into heads: (B, L, D) to (B, h, L, D / h)."""
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
