"""The table is float64."""
# loses: positions
# killed by: test_positions_follow_the_formula

# %% positions-solution
def wave_positions(L, d):
    """Give each position its row of sines and cosines: float32, shape (L, d)."""
    column = torch.arange(d)
    angle = torch.arange(L, dtype=torch.float64)[:, None] / 10000 ** (2 * (column // 2) / d)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos())
