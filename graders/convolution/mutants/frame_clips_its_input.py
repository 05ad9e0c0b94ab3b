"""The picture is clipped in place before it is copied."""
# loses: frame
# killed by: test_frame_is_a_new_tensor[border]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    framed = x.new_full((n, c, height + 2 * ph, width + 2 * pw), value)
    framed[:, :, ph : ph + height, pw : pw + width] = x.clamp_(min=-1)
    return framed
