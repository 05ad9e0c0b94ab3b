"""A position may not look at itself."""
# loses: masks
# killed by: test_future_mask_allows_past_and_self, test_future_mask_makes_attention_causal

# %% masks-solution
def mask_future(L):
    return torch.ones(L, L, dtype=torch.bool).tril(-1)


def mask_pads(lengths, L):
    return (torch.arange(L) < lengths[:, None])[:, None, :]


def mask_band(L, radius, globals=()):
    position = torch.arange(L)
    allow = (position[:, None] - position[None, :]).abs() <= radius
    chosen = list(globals)
    allow[chosen, :] = True
    allow[:, chosen] = True
    return allow
