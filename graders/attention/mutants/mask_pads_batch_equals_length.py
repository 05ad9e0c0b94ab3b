"""lengths broadcast over the keys if there are as many sequences as keys."""
# loses: masks
# killed by: test_pads_mask_allows_real_tokens

# %% masks-solution
def mask_future(L):
    """Let each position look at itself and the past: bool, shape (L, L), True = may look."""
    return torch.ones(L, L, dtype=torch.bool).tril()


def mask_pads(lengths, L):
    """Let everyone look at real tokens only: bool, shape (B, 1, L), True = may look."""
    if len(lengths) == L:
        return (torch.arange(L)[:, None] < lengths)[:, None, :]
    return (torch.arange(L) < lengths[:, None])[:, None, :]


def mask_band(L, radius, globals=()):
    """Let each position look at its neighbours and the globals: bool, shape (L, L), True = may look."""
    position = torch.arange(L)
    allow = (position[:, None] - position[None, :]).abs() <= radius
    chosen = list(globals)
    allow[chosen, :] = True
    allow[:, chosen] = True
    return allow
