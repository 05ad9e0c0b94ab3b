"""Everything is computed in float64 and given back in the precision of the input."""

# %% frame-solution
def frame(x, pad, value=0.0):
    ph, pw = pad
    big = torch.full((x.size(0), x.size(1), x.size(2) + 2 * ph, x.size(3) + 2 * pw), float(value), dtype=torch.float64)
    big = big.index_put(
        (torch.arange(x.size(0))[:, None, None, None], torch.arange(x.size(1))[:, None, None],
         torch.arange(ph, ph + x.size(2))[:, None], torch.arange(pw, pw + x.size(3))), x.double())
    return big.to(x.dtype)

# %% patches-solution
def patches(x, kernel, stride):
    kh, kw = kernel
    sh, sw = stride
    x64 = x.double()
    lines = []
    for c in range(x.shape[1]):
        for a in range(kh):
            for b in range(kw):
                seen = x64[:, c, a : x.shape[2] - (kh - 1 - a) : sh, b : x.shape[3] - (kw - 1 - b) : sw]
                lines.append(seen.reshape(x.shape[0], -1))
    return torch.stack(lines, 1).type_as(x)

# %% Conv-solution
class Conv(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=1, pad=0, bias=True, groups=1):
        super().__init__()
        as_pair = lambda v: v if isinstance(v, (tuple, list)) else (v, v)
        self.kernel, self.stride, self.pad, self.groups = as_pair(kernel), as_pair(stride), as_pair(pad), groups
        if (c_in % groups, c_out % groups) != (0, 0):
            raise ValueError
        fan_in = (c_in // groups) * math.prod(self.kernel)
        self.weight = nn.Parameter(nn.init.trunc_normal_(torch.empty(c_out, c_in // groups, *self.kernel), std=fan_in**-0.5))
        self.bias = nn.Parameter(torch.randn(c_out) * fan_in**-0.5) if bias else None

    def forward(self, x):
        padded = frame(x.double(), self.pad)
        cols = patches(padded, self.kernel, self.stride)
        R = 1 + (padded.shape[2] - self.kernel[0]) // self.stride[0]
        Q = 1 + (padded.shape[3] - self.kernel[1]) // self.stride[1]
        weight = self.weight.double()
        # one large matrix, zero where an output must not see an input
        c_out, per_group = weight.shape[:2]
        mask = torch.zeros(c_out, x.shape[1], dtype=torch.bool)
        for o in range(c_out):
            g = o * self.groups // c_out
            mask[o, g * per_group : (g + 1) * per_group] = True
        whole = weight.repeat(1, self.groups, 1, 1) * mask[:, :, None, None]
        y = torch.stack([whole.reshape(c_out, -1) @ one for one in cols])
        if self.bias is not None:
            y = y + self.bias.double().unsqueeze(1)
        return y.reshape(len(x), c_out, R, Q).to(x.dtype)

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    columns = patches(x, kernel, stride if stride else kernel)
    s = stride if stride else kernel
    largest = columns.double().reshape(x.shape[0], x.shape[1], kernel[0] * kernel[1], -1).sort(dim=2).values[:, :, -1]
    return largest.reshape(*x.shape[:2], (x.shape[2] - kernel[0] + s[0]) // s[0], -1).to(x.dtype)

# %% edge_bank-solution
def edge_bank(img):
    h, w = img.shape
    rows = torch.arange(h)[:, None] - torch.arange(h)
    cols = torch.arange(w)[:, None] - torch.arange(w)
    def matrix(distance, below, same, above):
        # entry (i, j) weighs pixel j for result i
        zero = torch.zeros_like(distance).double()
        return zero.masked_fill(distance == -1, below).masked_fill(distance == 0, same).masked_fill(distance == 1, above)
    x = img.double()
    smooth_rows, smooth_cols = matrix(rows, 1, 2, 1), matrix(cols, 1, 2, 1)
    slope_rows, slope_cols = matrix(rows, 1, 0, -1), matrix(cols, 1, 0, -1)
    result = {
        "horizontal": slope_rows @ x @ smooth_cols.T,
        "vertical": smooth_rows @ x @ slope_cols.T,
        "laplace": matrix(rows, 1, -2, 1) @ x + x @ matrix(cols, 1, -2, 1).T,
        "blur": matrix(rows, 1, 1, 1) @ x @ matrix(cols, 1, 1, 1).T / 9,
    }
    return {name: value.to(img.dtype) for name, value in result.items()}
