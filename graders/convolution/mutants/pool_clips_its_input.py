"""Minus infinity and other very small values are clipped in place first."""
# loses: pool_max
# killed by: test_pool_leaves_its_input

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    stride = kernel if stride is None else stride
    x.data.clamp_(min=-0.5)
    rows = (x.shape[2] - kernel[0]) // stride[0] + 1
    windows = patches(x, kernel, stride).unflatten(1, (x.shape[1], -1))  # (N, C, kh * kw, R * Q)
    return windows.amax(dim=2).unflatten(2, (rows, -1))
