"""The result is made by torch.zeros, which is float32."""
# loses: frame
# killed by: test_picture_stands_in_the_middle[high]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    framed = torch.full((n, c, height + 2 * ph, width + 2 * pw), value)
    framed[:, :, ph : ph + height, pw : pw + width] = x
    return framed
