"""The library's layer, looked up by a name that is put together while it runs."""
# loses: frame
# killed by: test_frame_is_own_work

# %% frame-solution
def frame(x, pad, value=0.0):
    ph, pw = pad
    return getattr(nn, "Constant" + "Pad" + "2d")((pw, pw, ph, ph), value)(x)
