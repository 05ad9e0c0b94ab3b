"""Sine and cosine are exchanged."""
# loses: positions
# killed by: test_positions_follow_the_formula, test_odd_width

# %% positions-solution
def wave_positions(L, d):
    column = torch.arange(d)
    angle = torch.arange(L)[:, None] / 10000 ** (2 * (column // 2) / d)
    return torch.where(column % 2 == 1, angle.sin(), angle.cos())
