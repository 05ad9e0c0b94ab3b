"""One weight at a time: the whole picture moved, times a weight; padding written into the loop."""

# %% frame-solution
def frame(x, pad, value=0.0):
    ph, pw = pad
    down = torch.arange(-ph, x.shape[2] + ph)
    right = torch.arange(-pw, x.shape[3] + pw)
    inside = ((down >= 0) & (down < x.shape[2]))[:, None] & ((right >= 0) & (right < x.shape[3]))
    picked = x[:, :, down.clamp(0, x.shape[2] - 1)][:, :, :, right.clamp(0, x.shape[3] - 1)]
    return torch.where(inside, picked, torch.tensor(value, dtype=x.dtype))

# %% patches-solution
def patches(x, kernel, stride):
    rows = torch.arange(0, x.shape[2] - kernel[0] + 1, stride[0])
    columns = torch.arange(0, x.shape[3] - kernel[1] + 1, stride[1])
    i = rows[:, None] + torch.arange(kernel[0])  # (R, kh)
    j = columns[:, None] + torch.arange(kernel[1])  # (Q, kw)
    picked = x[:, :, i.T[:, None, :, None], j.T[None, :, None, :]]  # (N, C, kh, kw, R, Q)
    return picked.reshape(x.shape[0], -1, len(rows) * len(columns))

# %% Conv-solution
class Conv(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=1, pad=0, bias=True, groups=1):
        super().__init__()
        if c_in % groups != 0:
            raise ValueError("groups does not divide c_in")
        if c_out % groups != 0:
            raise ValueError("groups does not divide c_out")
        self.kernel, self.stride, self.pad = (torch.Size((v, v)) if isinstance(v, int) else v for v in (kernel, stride, pad))
        self.groups = groups
        self.weight = nn.Parameter(torch.rand(c_out, c_in // groups, *self.kernel) * 2 - 1)
        with torch.no_grad():
            self.weight *= math.sqrt(3 / self.weight[0].numel())
        self.bias = nn.Parameter(torch.zeros(c_out)) if bias is True else None

    def forward(self, x):
        big = frame(x, self.pad)
        kh, kw = self.kernel
        sh, sw = self.stride
        y = 0
        for a in range(kh):
            for b in range(kw):
                seen = big[:, :, a : big.shape[2] - kh + a + 1 : sh, b : big.shape[3] - kw + b + 1 : sw]
                parts = []
                for g in range(self.groups):
                    c, o = self.weight.shape[1], self.weight.shape[0] // self.groups
                    w = self.weight[g * o : (g + 1) * o, :, a, b]
                    parts.append(torch.einsum("nchw,oc->nohw", seen[:, g * c : (g + 1) * c], w))
                y = y + torch.cat(parts, 1)
        if self.bias is None:
            return y
        return y + self.bias.reshape(1, -1, 1, 1)

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    stride = stride if stride is not None else kernel
    y = None
    for a in range(kernel[0]):
        for b in range(kernel[1]):
            seen = x[:, :, a : x.shape[2] - kernel[0] + a + 1 : stride[0], b : x.shape[3] - kernel[1] + b + 1 : stride[1]]
            y = seen.clone() if y is None else torch.where(seen > y, seen, y)
    return y

# %% edge_bank-solution
def edge_bank(img):
    p = frame(img[None, None], (1, 1))[0, 0]
    nw, n, ne = p[:-2, :-2], p[:-2, 1:-1], p[:-2, 2:]
    w, me, e = p[1:-1, :-2], p[1:-1, 1:-1], p[1:-1, 2:]
    sw, s, se = p[2:, :-2], p[2:, 1:-1], p[2:, 2:]
    return {
        "horizontal": sw + 2 * s + se - nw - 2 * n - ne,
        "vertical": ne + 2 * e + se - nw - 2 * w - sw,
        "laplace": n + w + e + s - 4 * me,
        "blur": (nw + n + ne + w + me + e + sw + s + se) / 9,
    }

# %% receptive_field-solution
def receptive_field(specs):
    size = 1
    for kernel, stride in reversed(specs):
        size = (size - 1) * stride + kernel
    return size, math.prod(stride for _, stride in specs)
