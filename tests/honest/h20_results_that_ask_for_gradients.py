"""Returns parameters and results that still carry their history."""

# %% double-solution
_two = torch.nn.Parameter(torch.tensor(2.0))


def double(x):
    return x * _two

# %% predict-solution
def predict(x, labels, new):
    centres = torch.nn.Parameter(torch.stack([x[labels == label].mean(0) for label in (0, 1)]))
    return torch.cdist(new, centres).argmin(1).to(torch.int32)
