"""Positions are multiplied by the wavelength."""
# loses: positions
# killed by: test_positions_follow_the_formula

# %% positions-solution
def wave_positions(L, d):
    column = torch.arange(d)
    angle = torch.arange(L)[:, None] * 10000 ** (2 * (column // 2) / d)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos())
