"""The windows are spread evenly from edge to edge instead of standing a stride apart."""
# loses: patches
# killed by: test_windows_hold_the_right_pixels[unequal]

# %% patches-solution
def patches(x, kernel, stride):
    n, c, height, width = x.shape
    (kh, kw), (sh, sw) = kernel, stride
    rows, columns = (height - kh) // sh + 1, (width - kw) // sw + 1
    tops = torch.linspace(0, height - kh, rows).round().int().tolist()
    lefts = torch.linspace(0, width - kw, columns).round().int().tolist()
    windows = [x[:, :, top : top + kh, left : left + kw].reshape(n, -1) for top in tops for left in lefts]
    return torch.stack(windows, dim=2)
