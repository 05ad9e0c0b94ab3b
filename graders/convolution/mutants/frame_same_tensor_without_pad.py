"""With pad (0, 0) the picture itself is returned."""
# loses: frame
# killed by: test_frame_is_a_new_tensor[none]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    if ph == pw == 0:
        return x
    framed = x.new_full((n, c, height + 2 * ph, width + 2 * pw), value)
    framed[:, :, ph : ph + height, pw : pw + width] = x
    return framed
