"""The pad of the rows is used for the columns too."""
# loses: Conv
# killed by: test_conv_matches_its_formula[pad]

# %% Conv-solution
class Conv(nn.Module):

    def __init__(self, c_in, c_out, kernel, stride=1, pad=0, bias=True, groups=1):
        super().__init__()
        if c_in % groups != 0 or c_out % groups != 0:
            raise ValueError(f"{groups} groups do not divide {c_in} and {c_out} channels")
        self.kernel, self.stride, self.pad = self._pair(kernel), self._pair(stride), self._pair(pad)
        self.groups = groups
        fan_in = c_in // groups * self.kernel[0] * self.kernel[1]
        self.weight = nn.Parameter(torch.randn(c_out, c_in // groups, *self.kernel) / math.sqrt(fan_in))
        self.bias = nn.Parameter(torch.zeros(c_out)) if bias else None

    def forward(self, x):
        """Map (N, c_in, H, W) to (N, c_out, R, Q)."""
        framed = frame(x, (self.pad[0], self.pad[0]))
        rows = (framed.shape[2] - self.kernel[0]) // self.stride[0] + 1
        # Groups get an axis of their own: (N, G, fan_in, R * Q) and (G, c_out / G, fan_in).
        columns = patches(framed, self.kernel, self.stride).unflatten(1, (self.groups, -1))
        kernels = self.weight.flatten(1).unflatten(0, (self.groups, -1))
        out = (kernels @ columns).flatten(1, 2)
        if self.bias is not None:
            out = out + self.bias[:, None]
        return out.unflatten(2, (rows, -1))

    @staticmethod
    def _pair(value):
        """An int for rows and columns, or the pair itself."""
        return (value, value) if isinstance(value, int) else tuple(value)
