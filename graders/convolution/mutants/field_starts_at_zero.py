"""The size starts at 0."""
# loses: receptive_field
# killed by: test_field_of_the_picture_itself

# %% receptive_field-solution
def receptive_field(specs):
    size, jump = 0, 1
    for kernel, stride in specs:
        size += (kernel - 1) * jump
        jump *= stride
    return size, jump
