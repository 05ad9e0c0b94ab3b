"""Helpers stand in the first cell that students write, and the later ones are one line each."""

# %% frame-solution
from functools import partial, reduce
from itertools import product
from typing import NamedTuple

class Geometry(NamedTuple):
    kernel: tuple
    stride: tuple

    def count(self, x):
        return tuple((size - k) // s + 1 for size, k, s in zip(x.shape[2:], self.kernel, self.stride))

    def cut(self, x):
        """The windows, shape (N, C, kh * kw, R, Q)."""
        (rows, columns), (sh, sw) = self.count(x), self.stride
        places = product(*map(range, self.kernel))
        return torch.stack([x[:, :, a:, b:][:, :, ::sh, ::sw][:, :, :rows, :columns] for a, b in places], dim=2)

def both(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * 2

def widen(x, dim, amount, value):
    size = list(x.shape)
    size[dim] = amount
    strip = x.new_full(size, value)
    return torch.cat([strip, x, strip], dim)

def frame(x, pad, value=0.0):
    return widen(widen(x, 2, pad[0], value), 3, pad[1], value)

# %% patches-solution
patches = lambda x, kernel, stride: Geometry(kernel, stride).cut(x).flatten(3).flatten(1, 2)

# %% Conv-solution
class Conv(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=1, pad=0, bias=True, groups=1):
        super().__init__()
        self.geometry, self.pad, self.groups = Geometry(both(kernel), both(stride)), both(pad), groups
        if c_in % groups + c_out % groups > 0:
            raise ValueError(f"groups={groups}")
        self._make(c_out, c_in // groups)
        if not bias:
            self.bias = None

    def _make(self, c_out, depth):
        self.weight = nn.Parameter(torch.randn(c_out, depth, *self.geometry.kernel).div(math.sqrt(depth * math.prod(self.geometry.kernel))))
        self.bias = nn.Parameter(self.weight.new_zeros(c_out))

    def forward(self, x):
        windows = self.geometry.cut(frame(x, self.pad))
        parts = zip(windows.split(windows.shape[1] // self.groups, 1), self.weight.flatten(2).chunk(self.groups))
        y = torch.cat([(part[:, None] * kernels[None, :, :, :, None, None]).sum((2, 3)) for part, kernels in parts], 1)
        return y if self.bias is None else (y.movedim(1, -1) + self.bias).movedim(-1, 1)

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    return reduce(torch.maximum, Geometry(kernel, stride or kernel).cut(x).unbind(2))

# %% edge_bank-solution
def edge_bank(img):
    windows = Geometry((3, 3), (1, 1)).cut(frame(img[None, None], (1, 1)))[0, 0]
    weigh = lambda weights: torch.tensordot(torch.as_tensor(weights, dtype=img.dtype), windows, 1)
    return dict(
        blur=windows.mean(0),
        laplace=weigh([0, 1, 0, 1, -4, 1, 0, 1, 0]),
        vertical=weigh([-1, 0, 1, -2, 0, 2, -1, 0, 1]),
        horizontal=weigh([-1, -2, -1, 0, 0, 0, 1, 2, 1]),
    )

# %% receptive_field-solution
def receptive_field(specs):
    return reduce(lambda seen, layer: (seen[0] + seen[1] * (layer[0] - 1), seen[1] * layer[1]), specs, (1, 1))
