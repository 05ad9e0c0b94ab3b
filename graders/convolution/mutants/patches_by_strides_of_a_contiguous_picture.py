"""as_strided with the strides that a picture in memory order has."""
# loses: patches
# killed by: test_windows_of_a_transposed_picture

# %% patches-solution
def patches(x, kernel, stride):
    n, c, height, width = x.shape
    (kh, kw), (sh, sw) = kernel, stride
    rows, columns = (height - kh) // sh + 1, (width - kw) // sw + 1
    size = (n, c, kh, kw, rows, columns)
    steps = (c * height * width, height * width, width, 1, sh * width, sw)
    return x.as_strided(size, steps).reshape(n, c * kh * kw, rows * columns)
