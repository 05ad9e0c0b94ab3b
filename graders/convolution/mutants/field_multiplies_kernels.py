"""The kernels are multiplied."""
# loses: receptive_field
# killed by: test_field_is_what_gradients_show[layers-of-stride-1]

# %% receptive_field-solution
def receptive_field(specs):
    size, jump = 1, 1
    for kernel, stride in specs:
        size *= kernel
        jump *= stride
    return size, jump
