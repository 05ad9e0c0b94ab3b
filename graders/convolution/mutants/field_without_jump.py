"""Each layer adds kernel - 1, whatever the strides below are."""
# loses: receptive_field
# killed by: test_field_is_what_gradients_show[a-stride-before-other-layers]

# %% receptive_field-solution
def receptive_field(specs):
    size, jump = 1, 1
    for kernel, stride in specs:
        size += kernel - 1
        jump *= stride
    return size, jump
