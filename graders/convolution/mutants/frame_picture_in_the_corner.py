"""The picture stands in the upper left corner of the larger tensor."""
# loses: frame
# killed by: test_picture_stands_in_the_middle[high]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    framed = x.new_full((n, c, height + 2 * ph, width + 2 * pw), value)
    framed[:, :, :height, :width] = x
    return framed
