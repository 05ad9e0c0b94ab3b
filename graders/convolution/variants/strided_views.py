"""Views by as_strided with the tensor's own strides; a matrix product for all groups by a loop; lists as results."""

# %% frame-solution
def frame(x, pad, value=0.0):
    ph, pw = pad
    result = torch.zeros((*x.shape[:2], x.shape[2] + 2 * ph, x.shape[3] + 2 * pw), dtype=x.dtype, device=x.device) + value
    result.narrow(2, ph, x.shape[2]).narrow(3, pw, x.shape[3]).copy_(x)
    return result

# %% patches-solution
def windows_of(x, kernel, stride):
    (N, C, H, W), (kh, kw), (sh, sw) = x.shape, kernel, stride
    n, c, h, w = x.stride()
    size = (N, C, kh, kw, (H - kh) // sh + 1, (W - kw) // sw + 1)
    return x.as_strided(size, (n, c, h, w, h * sh, w * sw), x.storage_offset())

def patches(x, kernel, stride):
    return windows_of(x, kernel, stride).flatten(4, 5).flatten(1, 3)

# %% Conv-solution
def pair(v):
    try:
        a, b = v
    except TypeError:
        a = b = v
    return a, b

class Conv(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=1, pad=0, bias=True, groups=1):
        super().__init__()
        if c_in // groups * groups != c_in or c_out // groups * groups != c_out:
            raise ValueError(groups)
        self.weight = nn.Parameter(torch.empty(c_out, c_in // groups, *pair(kernel)))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        self.register_parameter("bias", nn.Parameter(torch.full((c_out,), 0.01)) if bias else None)
        self.options = pair(kernel), pair(stride), pair(pad), groups

    def forward(self, x):
        kernel, stride, pad, groups = self.options
        columns = windows_of(frame(x, pad), kernel, stride)
        results = []
        for weight, part in zip(self.weight.chunk(groups), columns.chunk(groups, dim=1)):
            results.append(torch.tensordot(part, weight, dims=([1, 2, 3], [1, 2, 3])).movedim(-1, 1))
        result = torch.cat(results, dim=1)
        return result if self.bias is None else result + self.bias.view(1, -1, 1, 1)

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    return windows_of(x, kernel, stride or kernel).flatten(2, 3).max(dim=2).values

# %% edge_bank-solution
def edge_bank(img):
    h = torch.tensor([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]])
    kernels = torch.stack([h, h.T, torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]), torch.ones(3, 3)]).to(img.dtype)
    kernels[3] /= 9
    shown = windows_of(frame(img[None, None], [1, 1]), [3, 3], [1, 1])[0, 0]
    return dict(zip(["horizontal", "vertical", "laplace", "blur"], torch.einsum("kab,abij->kij", kernels, shown)))

# %% receptive_field-solution
def receptive_field(specs):
    jumps = [1]
    for _, s in specs:
        jumps.append(jumps[-1] * s)
    return [1 + sum((k - 1) * j for (k, _), j in zip(specs, jumps)), jumps[-1]]
