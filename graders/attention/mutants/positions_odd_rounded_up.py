"""An odd width is computed with the next even one and cut."""
# loses: positions
# killed by: test_odd_width

# %% positions-solution
def wave_positions(L, d):
    width = d + d % 2
    column = torch.arange(width)
    angle = torch.arange(L)[:, None] / 10000 ** (2 * (column // 2) / width)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos())[:, :d]
