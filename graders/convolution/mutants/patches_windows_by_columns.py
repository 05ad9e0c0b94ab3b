"""The windows come column by column."""
# loses: patches
# killed by: test_windows_come_in_reading_order

# %% patches-solution
def patches(x, kernel, stride):
    n, c, height, width = x.shape
    (kh, kw), (sh, sw) = kernel, stride
    rows, columns = (height - kh) // sh + 1, (width - kw) // sw + 1
    # What all windows show at place (a, b).
    shown = [x[:, :, a : a + rows * sh : sh, b : b + columns * sw : sw] for a in range(kh) for b in range(kw)]
    return torch.stack(shown, dim=2).transpose(3, 4).reshape(n, c * kh * kw, rows * columns)
