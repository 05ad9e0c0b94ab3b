"""The size counts from the first pixel to the beginning of the last window."""
# loses: receptive_field
# killed by: test_field_is_what_gradients_show[layers-of-stride-1]

# %% receptive_field-solution
def receptive_field(specs):
    size, jump = 1, 1
    for kernel, stride in specs:
        size += (kernel - 1) * jump
        jump *= stride
    return size - (specs[-1][0] - 1 if specs else 0), jump
