"""Callable objects for functions, a mixin for the layer, positions in place of keywords, prints and warnings on the way."""

# %% frame-solution
import warnings

class Frame:
    def __call__(self, x, pad, value=0.0):
        warnings.warn("framing")
        print("framing", tuple(x.shape))
        ph, pw = pad
        n, c, h, w = x.shape
        selection_rows = torch.eye(h, dtype=x.dtype)
        selection_columns = torch.eye(w, dtype=x.dtype)
        rows = torch.zeros(h + 2 * ph, h, dtype=x.dtype)
        rows[ph : ph + h] = selection_rows
        columns = torch.zeros(w, w + 2 * pw, dtype=x.dtype)
        columns[:, pw : pw + w] = selection_columns
        moved = rows @ x @ columns
        inside = rows.sum(1)[:, None] * columns.sum(0)
        return moved.masked_fill(inside == 0, value)

frame = Frame()

# %% Conv-solution
class Sized:
    def pairs(self, *values):
        return [(v, v) if not isinstance(v, (list, tuple)) else v for v in values]

class Conv(Sized, nn.Module):
    def __init__(self, c_in, c_out, kernel, stride=1, pad=0, bias=True, groups=1):
        super().__init__()
        if not (c_in / groups).is_integer() or not (c_out / groups).is_integer():
            raise ValueError("no")
        (self.kh, self.kw), self.stride, self.pad = self.pairs(kernel, stride, pad)
        self.c_out, self.groups = c_out, groups
        self.weight = nn.Parameter(torch.Tensor(c_out, c_in // groups, self.kh, self.kw))
        self.bias = nn.Parameter(torch.Tensor(c_out)) if bias else None
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.kaiming_normal_(self.weight, nonlinearity="linear")
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x):
        x = frame(x, self.pad)
        out = []
        for r in range((x.shape[2] - self.kh) // self.stride[0] + 1):
            line = []
            for q in range((x.shape[3] - self.kw) // self.stride[1] + 1):
                top, left = r * self.stride[0], q * self.stride[1]
                window = x[:, :, top : top + self.kh, left : left + self.kw]
                window = window.reshape(x.shape[0], self.groups, -1)
                weight = self.weight.reshape(self.groups, self.c_out // self.groups, -1)
                line.append(torch.einsum("ngf,gof->ngo", window, weight).reshape(x.shape[0], self.c_out))
            out.append(torch.stack(line, -1))
        y = torch.stack(out, 2)
        if self.bias is not None:
            y = torch.add(y, self.bias.view(self.c_out, 1, 1))
        return y

# %% receptive_field-solution
class Field:
    def __init__(self):
        self.state = {"size": 1, "jump": 1}

    def add(self, kernel, stride):
        self.state = {"size": self.state["size"] + (kernel - 1) * self.state["jump"], "jump": self.state["jump"] * stride}

def receptive_field(specs):
    field = Field()
    [field.add(*spec) for spec in specs]
    return tuple(field.state.values())
