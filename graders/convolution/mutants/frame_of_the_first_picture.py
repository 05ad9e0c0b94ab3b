"""Only the first picture of the batch is copied in."""
# loses: frame
# killed by: test_picture_stands_in_the_middle[none]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    framed = x.new_full((n, c, height + 2 * ph, width + 2 * pw), value)
    framed[:1, :, ph : ph + height, pw : pw + width] = x[:1]
    return framed
