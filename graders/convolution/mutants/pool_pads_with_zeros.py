"""The picture is filled up with zeros, so that leftover pixels get a window too."""
# loses: pool_max
# killed by: test_pool_of_negative_pictures, test_pool_keeps_the_largest[unequal]

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    stride = kernel if stride is None else stride
    missing = [-(size - k) % s if size > k else 0 for size, k, s in zip(x.shape[2:], kernel, stride)]
    full = x.new_zeros((*x.shape[:2], x.shape[2] + missing[0], x.shape[3] + missing[1]))
    full[:, :, : x.shape[2], : x.shape[3]] = x
    x = full
    rows = (x.shape[2] - kernel[0]) // stride[0] + 1
    windows = patches(x, kernel, stride).unflatten(1, (x.shape[1], -1))  # (N, C, kh * kw, R * Q)
    return windows.amax(dim=2).unflatten(2, (rows, -1))
