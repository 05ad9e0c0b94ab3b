"""The method unfold of tensors, einsum, and a frame by joining strips."""

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, h, w = x.shape
    above = x.new_full((n, c, pad[0], w), value)
    x = torch.cat((above, x, above), dim=2)
    left = torch.full_like(x[..., :1], value).expand(-1, -1, -1, pad[1])
    return torch.cat((left, x, left), dim=3)

# %% patches-solution
def patches(x, kernel, stride):
    windows = x.unfold(2, kernel[0], stride[0]).unfold(3, kernel[1], stride[1])
    return windows.permute(0, 1, 4, 5, 2, 3).reshape(x.shape[0], x.shape[1] * kernel[0] * kernel[1], -1)

# %% Conv-solution
class Conv(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=1, pad=0, bias=True, groups=1):
        super().__init__()
        self.kernel = kernel if hasattr(kernel, "__len__") else [kernel] * 2
        self.stride = stride if hasattr(stride, "__len__") else [stride] * 2
        self.pad = pad if hasattr(pad, "__len__") else [pad] * 2
        self.groups = groups
        if any(channels % groups for channels in (c_in, c_out)):
            raise ValueError("groups must divide both numbers of channels")
        std = (c_in // groups * self.kernel[0] * self.kernel[1]) ** -0.5
        self.weight = nn.Parameter(torch.normal(0.0, std, (c_out, c_in // groups, self.kernel[0], self.kernel[1])))
        self.bias = None
        if bias:
            self.bias = nn.Parameter(torch.zeros(c_out))

    def forward(self, x):
        windows = frame(x, self.pad).unfold(2, self.kernel[0], self.stride[0]).unfold(3, self.kernel[1], self.stride[1])
        windows = windows.unflatten(1, (self.groups, windows.shape[1] // self.groups))
        weight = self.weight.unflatten(0, (self.groups, len(self.weight) // self.groups))
        y = torch.einsum("ngcrqab,gocab->ngorq", windows, weight).flatten(1, 2)
        if self.bias is not None:
            y += self.bias[:, None, None]
        return y

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    if stride is None:
        stride = kernel
    return x.unfold(2, kernel[0], stride[0]).max(-1)[0].unfold(3, kernel[1], stride[1]).max(-1)[0]

# %% edge_bank-solution
def edge_bank(img):
    bank = {
        "blur": torch.full((3, 3), 1 / 9),
        "laplace": torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]),
        "vertical": torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([-1.0, 0.0, 1.0])),
        "horizontal": torch.outer(torch.tensor([-1.0, 0.0, 1.0]), torch.tensor([1.0, 2.0, 1.0])),
    }
    bank["blur"] = torch.ones(3, 3, dtype=torch.float64) / 9
    conv = Conv(1, 1, 3, pad=1, bias=False).to(img.dtype)
    found = {}
    for name, kernel in bank.items():
        conv.weight.data[:] = kernel.to(img.dtype)
        found[name] = conv(img[None, None])[0, 0].detach()
    return found
