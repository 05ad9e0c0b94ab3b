"""The picture is copied without its history."""
# loses: frame
# killed by: test_frame_passes_gradients

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    framed = x.new_full((n, c, height + 2 * ph, width + 2 * pw), value)
    framed[:, :, ph : ph + height, pw : pw + width] = x.detach()
    return framed
