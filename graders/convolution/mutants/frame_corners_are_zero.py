"""Rows with the value are joined to the picture, then columns of zeros."""
# loses: frame
# killed by: test_frame_has_its_value_on_every_side[half]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    rows = x.new_full((n, c, ph, width), value)
    high = torch.cat([rows, x, rows], dim=2)
    columns = x.new_full((n, c, height + 2 * ph, pw), value)
    columns[:, :, :ph] = 0
    columns[:, :, ph + height :] = 0
    return torch.cat([columns, high, columns], dim=3)
