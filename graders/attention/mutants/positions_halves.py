"""All sines come first, then all cosines."""
# loses: positions
# killed by: test_positions_follow_the_formula, test_odd_width

# %% positions-solution
def wave_positions(L, d):
    half = torch.arange((d + 1) // 2)
    angle = torch.arange(L)[:, None] / 10000 ** (2 * half / d)
    return torch.cat([angle.sin(), angle.cos()], dim=1)[:, :d]
