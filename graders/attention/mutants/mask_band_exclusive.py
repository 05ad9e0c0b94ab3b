"""The band ends one short of the radius."""
# loses: masks
# killed by: test_band_mask_allows_the_radius, test_band_mask_counts_its_pairs

# %% masks-solution
def mask_future(L):
    return torch.ones(L, L, dtype=torch.bool).tril()


def mask_pads(lengths, L):
    return (torch.arange(L) < lengths[:, None])[:, None, :]


def mask_band(L, radius, globals=()):
    position = torch.arange(L)
    allow = (position[:, None] - position[None, :]).abs() < radius
    chosen = list(globals)
    allow[chosen, :] = True
    allow[:, chosen] = True
    return allow
