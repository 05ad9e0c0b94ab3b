"""Zeros of the right shape."""
# loses: positions
# killed by: test_positions_tell_the_order, test_positions_follow_the_formula, test_odd_width

# %% positions-solution
def wave_positions(L, d):
    column = torch.arange(d)
    angle = torch.arange(L)[:, None] / 10000 ** (2 * (column // 2) / d)
    return torch.zeros(L, d)
