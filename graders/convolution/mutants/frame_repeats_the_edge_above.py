"""The rows above repeat the first row of the picture."""
# loses: frame
# killed by: test_frame_has_its_value_on_every_side[default]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    framed = x.new_full((n, c, height + 2 * ph, width + 2 * pw), value)
    framed[:, :, ph : ph + height, pw : pw + width] = x
    framed[:, :, :ph, pw : pw + width] = x[:, :, :1]
    return framed
