"""The library's own pooling."""
# loses: pool_max
# killed by: test_pool_is_own_work

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    return torch.max_pool2d(x, kernel, stride or kernel)
