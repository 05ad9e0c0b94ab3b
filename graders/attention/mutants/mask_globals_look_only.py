"""Global positions look everywhere, but not everyone may look at them."""
# loses: masks
# killed by: test_global_positions_look_both_ways

# %% masks-solution
def mask_future(L):
    return torch.ones(L, L, dtype=torch.bool).tril()


def mask_pads(lengths, L):
    return (torch.arange(L) < lengths[:, None])[:, None, :]


def mask_band(L, radius, globals=()):
    position = torch.arange(L)
    allow = (position[:, None] - position[None, :]).abs() <= radius
    chosen = list(globals)
    allow[chosen, :] = True
    return allow
