"""Positions are counted from 1."""
# loses: positions
# killed by: test_positions_follow_the_formula, test_odd_width

# %% positions-solution
def wave_positions(L, d):
    column = torch.arange(d)
    angle = torch.arange(1, L + 1)[:, None] / 10000 ** (2 * (column // 2) / d)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos())
