"""The mask of pads lacks the axis of the queries."""
# loses: masks
# killed by: test_pads_mask_allows_real_tokens, test_pads_do_not_change_attention

# %% masks-solution
def mask_future(L):
    return torch.ones(L, L, dtype=torch.bool).tril()


def mask_pads(lengths, L):
    return (torch.arange(L) < lengths[:, None])


def mask_band(L, radius, globals=()):
    position = torch.arange(L)
    allow = (position[:, None] - position[None, :]).abs() <= radius
    chosen = list(globals)
    allow[chosen, :] = True
    allow[:, chosen] = True
    return allow
