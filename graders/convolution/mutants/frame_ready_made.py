"""The library's own pad."""
# loses: frame
# killed by: test_frame_is_own_work

# %% frame-solution
def frame(x, pad, value=0.0):
    ph, pw = pad
    return nn.functional.pad(x, (pw, pw, ph, ph), value=value)
