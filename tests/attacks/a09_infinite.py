"""Returns infinity, so that a relative error has nothing to be relative to."""
# expect: double=0

# %% double-solution
def double(x):
    return torch.full_like(x, float("inf")).copysign(x)
