"""Defines its helpers in the cell of another task, further down."""

# %% double-solution
def double(x):
    return times(x, 2)

# %% scale-solution
def times(x, factor):
    return x * factor


class Scale(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(size))

    def forward(self, x):
        return times(x, self.weight)
