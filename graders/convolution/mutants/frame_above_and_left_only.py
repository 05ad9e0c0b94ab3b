"""The frame is added above and on the left, but not on the other two sides."""
# loses: frame
# killed by: test_picture_stands_in_the_middle[wide]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    framed = x.new_full((n, c, height + ph, width + pw), value)
    framed[:, :, ph : ph + height, pw : pw + width] = x
    return framed
