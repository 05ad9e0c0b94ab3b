"""Each layer adds its whole kernel."""
# loses: receptive_field
# killed by: test_field_is_what_gradients_show[one-layer]

# %% receptive_field-solution
def receptive_field(specs):
    size, jump = 1, 1
    for kernel, stride in specs:
        size += kernel * jump
        jump *= stride
    return size, jump
