"""The pair is read as (columns, rows)."""
# loses: frame
# killed by: test_picture_stands_in_the_middle[high]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    pw, ph = pad
    framed = x.new_full((n, c, height + 2 * ph, width + 2 * pw), value)
    framed[:, :, ph : ph + height, pw : pw + width] = x
    return framed
