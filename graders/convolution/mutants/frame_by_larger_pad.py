"""All four sides get the larger of the two pads."""
# loses: frame
# killed by: test_picture_stands_in_the_middle[sides]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph = pw = max(pad)
    framed = x.new_full((n, c, height + 2 * ph, width + 2 * pw), value)
    framed[:, :, ph : ph + height, pw : pw + width] = x
    return framed
