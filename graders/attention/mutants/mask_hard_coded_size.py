"""The masks are cut from one of size 16."""
# loses: masks
# killed by: test_future_mask_allows_past_and_self

# %% masks-solution
def mask_future(L):
    """Let each position look at itself and the past: bool, shape (L, L), True = may look."""
    return torch.ones(16, 16, dtype=torch.bool).tril()[:L, :L]


def mask_pads(lengths, L):
    """Let everyone look at real tokens only: bool, shape (B, 1, L), True = may look."""
    return (torch.arange(L) < lengths[:, None])[:, None, :]


def mask_band(L, radius, globals=()):
    """Let each position look at its neighbours and the globals: bool, shape (L, L), True = may look."""
    position = torch.arange(L)
    allow = (position[:, None] - position[None, :]).abs() <= radius
    chosen = list(globals)
    allow[chosen, :] = True
    allow[:, chosen] = True
    return allow
