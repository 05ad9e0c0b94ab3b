"""The value is rounded to a whole number."""
# loses: frame
# killed by: test_frame_has_its_value_on_every_side[tenth]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    framed = x.new_full((n, c, height + 2 * ph, width + 2 * pw), int(value) if math.isfinite(value) else value)
    framed[:, :, ph : ph + height, pw : pw + width] = x
    return framed
