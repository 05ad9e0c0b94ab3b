"""A column is missing on the right."""
# loses: frame
# killed by: test_picture_stands_in_the_middle[wide]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    framed = x.new_full((n, c, height + 2 * ph, width + max(2 * pw - 1, 0)), value)
    framed[:, :, ph : ph + height, pw : pw + width] = x[..., : framed.shape[3] - pw]
    return framed
