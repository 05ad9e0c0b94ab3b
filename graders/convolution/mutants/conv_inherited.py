"""A subclass of the library's layer."""
# loses: Conv
# killed by: test_conv_is_own_work

# %% Conv-solution
class Conv(nn.Conv2d):
    def __init__(self, c_in, c_out, kernel, stride=1, pad=0, bias=True, groups=1):
        super().__init__(c_in, c_out, kernel, stride, pad, bias=bias, groups=groups)
