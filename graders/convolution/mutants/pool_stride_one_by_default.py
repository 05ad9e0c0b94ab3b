"""Without a stride the windows move by one pixel."""
# loses: pool_max
# killed by: test_pool_steps_by_its_kernel

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    stride = (1, 1) if stride is None else stride
    rows = (x.shape[2] - kernel[0]) // stride[0] + 1
    windows = patches(x, kernel, stride).unflatten(1, (x.shape[1], -1))  # (N, C, kh * kw, R * Q)
    return windows.amax(dim=2).unflatten(2, (rows, -1))
