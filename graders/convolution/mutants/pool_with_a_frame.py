"""A frame of zeros is put around the picture first."""
# loses: pool_max
# killed by: test_pool_keeps_the_largest[square]

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    stride = kernel if stride is None else stride
    x = frame(x, (kernel[0] // 2, kernel[1] // 2))
    rows = (x.shape[2] - kernel[0]) // stride[0] + 1
    windows = patches(x, kernel, stride).unflatten(1, (x.shape[1], -1))  # (N, C, kh * kw, R * Q)
    return windows.amax(dim=2).unflatten(2, (rows, -1))
