"""Where a side has no pad, a view of the picture is returned."""
# loses: frame
# killed by: test_frame_is_a_new_tensor[none]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    if not any(pad):
        return x[:, :, :height, :width]
    framed = x.new_full((n, c, height + 2 * ph, width + 2 * pw), value)
    framed[:, :, ph : ph + height, pw : pw + width] = x
    return framed
