"""The value is multiplied by a mask: minus infinity times 0 is NaN."""
# loses: frame
# killed by: test_frame_has_its_value_on_every_side[infinite]

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, height, width = x.shape
    ph, pw = pad
    framed = x.new_zeros((n, c, height + 2 * ph, width + 2 * pw))
    inside = torch.zeros_like(framed)
    framed[:, :, ph : ph + height, pw : pw + width] = x
    inside[:, :, ph : ph + height, pw : pw + width] = 1
    return framed + value * (1 - inside)
