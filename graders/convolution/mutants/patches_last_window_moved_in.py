"""A window that would stick out is moved in until it fits, and counted."""
# loses: patches
# killed by: test_windows_hold_the_right_pixels[unequal]

# %% patches-solution
def patches(x, kernel, stride):
    n, c, height, width = x.shape
    (kh, kw), (sh, sw) = kernel, stride
    tops = [min(top, height - kh) for top in range(0, height - kh + sh, sh)]
    lefts = [min(left, width - kw) for left in range(0, width - kw + sw, sw)]
    windows = [x[:, :, top : top + kh, left : left + kw].reshape(n, -1) for top in tops for left in lefts]
    return torch.stack(windows, dim=2)
