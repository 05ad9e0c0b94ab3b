"""A bare view, which refuses a picture that does not lie in memory in its order."""
# loses: patches
# killed by: test_windows_of_a_transposed_picture

# %% patches-solution
def patches(x, kernel, stride):
    n, c, height, width = x.shape
    x = x.view(-1).view(n, c, height, width)
    (kh, kw), (sh, sw) = kernel, stride
    rows, columns = (height - kh) // sh + 1, (width - kw) // sw + 1
    # What all windows show at place (a, b).
    shown = [x[:, :, a : a + rows * sh : sh, b : b + columns * sw : sw] for a in range(kh) for b in range(kw)]
    return torch.stack(shown, dim=2).reshape(n, c * kh * kw, rows * columns)
