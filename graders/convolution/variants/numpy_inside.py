"""NumPy for indices and kernels, and in a function with its own backward pass."""

# %% patches-solution
import numpy as np

class Cut(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, index):
        ctx.index, ctx.shape = index, x.shape
        flat = np.ascontiguousarray(x.detach().numpy()).reshape(x.shape[0], -1)
        return torch.from_numpy(flat[:, index])

    @staticmethod
    def backward(ctx, gradient):
        total = np.zeros((ctx.shape[0], int(np.prod(ctx.shape[1:]))), dtype=gradient.numpy().dtype)
        for n in range(ctx.shape[0]):
            np.add.at(total[n], ctx.index, gradient[n].numpy())
        return torch.from_numpy(total).reshape(ctx.shape), None

def patches(x, kernel, stride):
    _, c, h, w = x.shape
    number = np.arange(c * h * w).reshape(c, h, w)
    columns = [
        number[:, top : top + kernel[0], left : left + kernel[1]].ravel()
        for top in range(0, h - kernel[0] + 1, stride[0])
        for left in range(0, w - kernel[1] + 1, stride[1])
    ]
    return Cut.apply(x, np.stack(columns, axis=1))

# %% pool_max-solution
def pool_max(x, kernel, stride=None):
    stride = stride or kernel
    n, c, h, w = x.shape
    windows = patches(x.reshape(n * c, 1, h, w), kernel, stride)
    place = np.argmax(windows.detach().numpy(), axis=1)
    best = windows.gather(1, torch.from_numpy(place)[:, None])
    rows = len(range(0, h - kernel[0] + 1, stride[0]))
    return best.view(n, c, rows, -1)

# %% edge_bank-solution
def edge_bank(img):
    sobel = np.outer([-1, 0, 1], [1, 2, 1])
    kernels = {"horizontal": sobel, "vertical": sobel.T, "laplace": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]), "blur": np.full((3, 3), 1 / 9)}
    wide = np.zeros((img.shape[0] + 2, img.shape[1] + 2), dtype=img.numpy().dtype)
    wide[1:-1, 1:-1] = img.numpy()
    h, w = img.shape
    total = lambda kernel: sum(kernel[a, b] * wide[a : a + h, b : b + w] for a in range(3) for b in range(3))
    return {name: torch.from_numpy(np.asarray(total(kernel), dtype=wide.dtype)) for name, kernel in kernels.items()}
