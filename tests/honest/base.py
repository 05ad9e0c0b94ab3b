"""The plain solutions, which every other submission changes."""

# %% double-solution
def double(x):
    return x + x

# %% softmax-solution
def softmax(x):
    weights = (x - x.max(-1, keepdim=True).values).exp()
    return weights / weights.sum(-1, keepdim=True)

# %% spell-solution
def spell(word):
    return "".join(reversed(word))

# %% predict-solution
def predict(x, labels, new):
    centres = torch.stack([x[labels == label].mean(0) for label in (0, 1)])
    return torch.cdist(new, centres).argmin(1)

# %% scale-solution
class Scale(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(size))

    def forward(self, x):
        return x * self.weight
