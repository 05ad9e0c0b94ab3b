"""Every row is the first one."""
# loses: positions
# killed by: test_positions_tell_the_order, test_similarity_depends_on_distance

# %% positions-solution
def wave_positions(L, d):
    column = torch.arange(d)
    angle = torch.zeros(L, 1) / 10000 ** (2 * (column // 2) / d)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos())
