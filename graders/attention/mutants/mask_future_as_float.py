"""The mask of the future holds 0 and -inf instead of bools."""
# loses: masks
# killed by: test_future_mask_allows_past_and_self, test_future_mask_makes_attention_causal

# %% masks-solution
def mask_future(L):
    return torch.full((L, L), -math.inf).triu(1)


def mask_pads(lengths, L):
    return (torch.arange(L) < lengths[:, None])[:, None, :]


def mask_band(L, radius, globals=()):
    position = torch.arange(L)
    allow = (position[:, None] - position[None, :]).abs() <= radius
    chosen = list(globals)
    allow[chosen, :] = True
    allow[:, chosen] = True
    return allow
