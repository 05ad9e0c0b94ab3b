"""The first layer starts the sum, so an empty list has no field."""
# loses: receptive_field
# killed by: test_field_of_the_picture_itself

# %% receptive_field-solution
def receptive_field(specs):
    size, jump = specs[0]
    for kernel, stride in specs[1:]:
        size += (kernel - 1) * jump
        jump *= stride
    return size, jump
