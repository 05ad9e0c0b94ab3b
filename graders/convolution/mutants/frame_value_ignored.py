"""The frame is 0 whatever the value is."""
# loses: frame
# killed by: test_frame_has_its_value_on_every_side[half]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    framed = x.new_full((n, c, height + 2 * ph, width + 2 * pw), 0.0)
    framed[:, :, ph : ph + height, pw : pw + width] = x
    return framed
