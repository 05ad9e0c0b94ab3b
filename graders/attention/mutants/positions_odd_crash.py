"""An odd width raises: there is no room for the last cosine."""
# loses: positions
# killed by: test_odd_width

# %% positions-solution
def wave_positions(L, d):
    frequency = torch.exp(torch.arange(0, d, 2) * (-math.log(10000.0) / d))
    angle = torch.arange(L)[:, None] * frequency
    table = torch.zeros(L, d)
    table[:, 0::2] = torch.sin(angle)
    table[:, 1::2] = torch.cos(angle)
    return table
