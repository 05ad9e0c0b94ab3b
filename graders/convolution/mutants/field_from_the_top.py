"""The layers are taken in the other order."""
# loses: receptive_field
# killed by: test_field_is_what_gradients_show[several-strides]

# %% receptive_field-solution
def receptive_field(specs):
    size, jump = 1, 1
    for kernel, stride in reversed(specs):
        size += (kernel - 1) * jump
        jump *= stride
    return size, jump
