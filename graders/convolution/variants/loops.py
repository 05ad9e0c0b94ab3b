"""Loops over every single product and every single pixel, as the formulas are written."""

# %% frame-solution
def frame(x, pad, value=0.0):
    n, c, h, w = x.shape
    out = torch.empty(n, c, h + 2 * pad[0], w + 2 * pad[1], dtype=x.dtype)
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            inside = pad[0] <= i < h + pad[0] and pad[1] <= j < w + pad[1]
            if inside:
                out[:, :, i, j] = x[:, :, i - pad[0], j - pad[1]]
            else:
                out[:, :, i, j] = value
    return out

# %% patches-solution
def patches(x, kernel, stride):
    n, c, h, w = x.shape
    kh, kw = kernel
    sh, sw = stride
    all_columns = []
    for top in range(0, h - kh + 1, sh):
        for left in range(0, w - kw + 1, sw):
            column = []
            for channel in range(c):
                for a in range(kh):
                    for b in range(kw):
                        column.append(x[:, channel, top + a, left + b])
            all_columns.append(torch.stack(column, dim=1))
    return torch.stack(all_columns, dim=-1)

# %% Conv-solution
class Conv(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=1, pad=0, bias=True, groups=1):
        super().__init__()
        if c_in % groups or c_out % groups:
            raise ValueError("groups")
        self.kh, self.kw = (kernel, kernel) if type(kernel) is int else kernel
        self.sh, self.sw = (stride, stride) if type(stride) is int else stride
        self.pad = (pad, pad) if type(pad) is int else pad
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(c_out, c_in // groups, self.kh, self.kw))
        bound = 1 / math.sqrt(c_in // groups * self.kh * self.kw)
        nn.init.uniform_(self.weight, -bound, bound)
        if bias:
            self.bias = nn.Parameter(torch.empty(c_out))
            nn.init.uniform_(self.bias, -bound, bound)
        else:
            self.bias = None

    def forward(self, x):
        x = frame(x, self.pad)
        n, c_in, h, w = x.shape
        c_out = self.weight.shape[0]
        rows = (h - self.kh) // self.sh + 1
        cols = (w - self.kw) // self.sw + 1
        per_in, per_out = c_in // self.groups, c_out // self.groups
        places = []
        for r in range(rows):
            for q in range(cols):
                for o in range(c_out):
                    first = o // per_out * per_in
                    value = torch.zeros(n, dtype=x.dtype) if self.bias is None else self.bias[o].expand(n)
                    for c in range(per_in):
                        for a in range(self.kh):
                            for b in range(self.kw):
                                pixel = x[:, first + c, r * self.sh + a, q * self.sw + b]
                                value = value + self.weight[o, c, a, b] * pixel
                    places.append(value)
        return torch.stack(places, dim=1).reshape(n, rows, cols, c_out).permute(0, 3, 1, 2)

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    sh, sw = kernel if stride is None else stride
    rows = []
    top = 0
    while top + kernel[0] <= x.shape[2]:
        row = []
        left = 0
        while left + kernel[1] <= x.shape[3]:
            largest = x[:, :, top, left]
            for a in range(kernel[0]):
                for b in range(kernel[1]):
                    largest = torch.maximum(largest, x[:, :, top + a, left + b])
            row.append(largest)
            left += sw
        rows.append(torch.stack(row, dim=-1))
        top += sh
    return torch.stack(rows, dim=2)

# %% edge_bank-solution
def edge_bank(img):
    h, w = img.shape
    kernels = {
        "horizontal": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
        "vertical": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
        "laplace": [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
        "blur": [[1 / 9] * 3] * 3,
    }
    out = {}
    for name in kernels:
        total = torch.zeros_like(img)
        for a in range(3):
            for b in range(3):
                moved = torch.zeros_like(img)
                i, j = a - 1, b - 1
                moved[max(-i, 0) : h - max(i, 0), max(-j, 0) : w - max(j, 0)] = img[max(i, 0) : h + min(i, 0), max(j, 0) : w + min(j, 0)]
                total += kernels[name][a][b] * moved
        out[name] = total
    return out

# %% receptive_field-solution
def receptive_field(specs):
    def window(row, layers):
        if not layers:
            return row, row
        kernel, stride = layers[-1]
        first, _ = window(row * stride, layers[:-1])
        _, last = window(row * stride + kernel - 1, layers[:-1])
        return first, last
    first, last = window(0, specs)
    return last - first + 1, window(1, specs)[0] - first
