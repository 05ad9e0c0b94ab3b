"""The windows are as many as the stride allows, but stand side by side in steps of 1."""
# loses: patches
# killed by: test_windows_hold_the_right_pixels[steps]

# %% patches-solution
def patches(x, kernel, stride):
    n, c, height, width = x.shape
    (kh, kw), (sh, sw) = kernel, stride
    rows, columns = (height - kh) // sh + 1, (width - kw) // sw + 1
    # What all windows show at place (a, b).
    shown = [x[:, :, a : a + rows, b : b + columns] for a in range(kh) for b in range(kw)]
    return torch.stack(shown, dim=2).reshape(n, c * kh * kw, rows * columns)
