"""The layer as one sparse-looking matrix over the whole picture; pooling from the largest by topk; tiles by a second way."""

# %% Conv-solution
class Conv(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=1, pad=0, bias=True, groups=1):
        if c_in % groups or c_out % groups:
            raise ValueError("groups has to divide c_in and c_out")
        nn.Module.__init__(self)
        to_pair = lambda v: (int(v[0]), int(v[1])) if isinstance(v, (tuple, list)) else (int(v), int(v))
        self.kernel, self.stride, self.pad = map(to_pair, (kernel, stride, pad))
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(c_out, c_in // groups, *self.kernel).normal_().mul_((c_in // groups * self.kernel[0] * self.kernel[1]) ** -0.5))
        self.bias = nn.Parameter(torch.zeros(c_out), requires_grad=True) if bias else None

    def forward(self, x):
        n, c, h, w = frame(x, self.pad).shape
        # which number of the picture each entry of each window is, by cutting up a picture of numbers
        number = torch.arange(c * h * w, dtype=x.dtype).reshape(1, c, h, w)
        place = patches(number, self.kernel, self.stride)[0].long()  # (c * kh * kw, P)
        place = place.reshape(self.groups, -1, place.shape[1])
        depth, P = place.shape[1:]
        per_group = self.weight.shape[0] // self.groups
        rows = []
        for o in range(self.weight.shape[0]):
            row = torch.zeros(P, c * h * w, dtype=x.dtype)
            row = row.scatter(1, place[o // per_group].T, self.weight[o].reshape(1, depth).expand(P, depth))
            rows.append(row)
        matrix = torch.cat(rows)  # (c_out * P, c * h * w)
        y = frame(x, self.pad).reshape(n, -1) @ matrix.T
        y = y.reshape(n, self.weight.shape[0], (h - self.kernel[0]) // self.stride[0] + 1, -1)
        if self.bias is not None:
            y = y + self.bias[None, :, None, None]
        return y.contiguous()

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    n, c, h, w = x.shape
    sh, sw = stride if stride is not None else kernel
    out = []
    for row in range(0, h - kernel[0] + 1, sh):
        band = x[:, :, row : row + kernel[0]]
        cells = [band[:, :, :, col : col + kernel[1]].flatten(2).topk(1).values for col in range(0, w - kernel[1] + 1, sw)]
        out.append(torch.cat(cells, dim=2))
    return torch.stack(out, dim=2)

# %% edge_bank-solution
def edge_bank(img):
    layer = Conv(1, 4, 3, pad=1, bias=False)
    horizontal = torch.tensor([[-1.0, -2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]], dtype=img.dtype)
    laplace = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]], dtype=img.dtype)
    layer.weight = nn.Parameter(torch.stack([horizontal, horizontal.T, laplace, torch.ones_like(laplace) / 9])[:, None])
    horizontal, vertical, laplace, blur = layer(img.reshape(1, 1, *img.shape))[0]
    return {"laplace": laplace, "blur": blur, "vertical": vertical, "horizontal": horizontal}
