"""Returns views that are not contiguous, and expanded ones."""

# %% double-solution
def double(x):
    both = torch.stack([x, x + x], dim=-1)
    return both[..., 1]

# %% softmax-solution
def softmax(x):
    top = x.max(-1, keepdim=True).values.expand_as(x)
    e = (x - top).exp()
    return (e.T / e.sum(-1)).T if x.dim() == 2 else e / e.sum(-1, keepdim=True)
