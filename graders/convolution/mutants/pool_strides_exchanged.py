"""The strides of rows and columns are exchanged."""
# loses: pool_max
# killed by: test_pool_keeps_the_largest[unequal]

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    stride = kernel if stride is None else stride
    stride = stride[::-1]
    rows = (x.shape[2] - kernel[0]) // stride[0] + 1
    windows = patches(x, kernel, stride).unflatten(1, (x.shape[1], -1))  # (N, C, kh * kw, R * Q)
    return windows.amax(dim=2).unflatten(2, (rows, -1))
