"""The values are right, but the gradient is that of the mean."""
# loses: pool_max
# killed by: test_pool_sends_gradients_to_the_largest

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    stride = kernel if stride is None else stride
    rows = (x.shape[2] - kernel[0]) // stride[0] + 1
    windows = patches(x, kernel, stride).unflatten(1, (x.shape[1], -1))  # (N, C, kh * kw, R * Q)
    mean = windows.mean(dim=2)
    return (mean + (windows.amax(dim=2) - mean).detach()).unflatten(2, (rows, -1))
