"""The library's own convolution."""
# loses: Conv
# killed by: test_conv_is_own_work

# %% Conv-solution
class Conv(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=1, pad=0, bias=True, groups=1):
        super().__init__()
        self.layer = nn.Conv2d(c_in, c_out, kernel, stride, pad, bias=bias, groups=groups)
        self.weight, self.bias = self.layer.weight, self.layer.bias
        del self.layer.weight, self.layer.bias
        self.options = {"stride": stride, "padding": pad, "groups": groups}

    def forward(self, x):
        return torch.conv2d(x, self.weight, self.bias, **self.options)
