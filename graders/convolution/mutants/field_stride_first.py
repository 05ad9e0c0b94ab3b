"""The stride of a layer counts for its own kernel already."""
# loses: receptive_field
# killed by: test_field_is_what_gradients_show[a-stride-in-the-last-layer]

# %% receptive_field-solution
def receptive_field(specs):
    size, jump = 1, 1
    for kernel, stride in specs:
        jump *= stride
        size += (kernel - 1) * jump
    return size, jump
