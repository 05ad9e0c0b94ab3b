"""The result is float64 again, but the digits are gone."""
# loses: frame
# killed by: test_picture_stands_in_the_middle[none]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    framed = x.new_full((n, c, height + 2 * ph, width + 2 * pw), value)
    framed[:, :, ph : ph + height, pw : pw + width] = x.float()
    return framed
