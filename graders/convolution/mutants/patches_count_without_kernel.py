"""Windows are counted by the size of the picture alone."""
# loses: patches
# killed by: test_windows_hold_the_right_pixels[square]

# %% patches-solution
def patches(x, kernel, stride):
    n, c, height, width = x.shape
    (kh, kw), (sh, sw) = kernel, stride
    rows, columns = height // sh, width // sw
    # What all windows show at place (a, b).
    shown = [x[:, :, a : a + rows * sh : sh, b : b + columns * sw : sw] for a in range(kh) for b in range(kw)]
    return torch.stack(shown, dim=2).reshape(n, c * kh * kw, rows * columns)
