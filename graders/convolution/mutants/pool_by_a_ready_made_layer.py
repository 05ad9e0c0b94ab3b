"""A layer of the library, made in front of the function."""
# loses: pool_max
# killed by: test_pool_is_own_work

# %% pool_max-solution
largest = {}

def pool_max(x, kernel, stride=None):
    return make_layer(kernel, stride)(x)

def make_layer(kernel, stride):
    return nn.MaxPool2d(kernel, stride)
