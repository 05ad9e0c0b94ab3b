"""Each column has a frequency of its own."""
# loses: positions
# killed by: test_similarity_depends_on_distance, test_positions_follow_the_formula

# %% positions-solution
def wave_positions(L, d):
    column = torch.arange(d)
    angle = torch.arange(L)[:, None] / 10000 ** (column / d)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos())
