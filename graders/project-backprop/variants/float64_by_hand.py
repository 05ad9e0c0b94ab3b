"""Everything is computed in float64 explicitly, velocities as NumPy arrays, order by levels."""


# %% order-solution
def order(root):
    level, waiting = {root: 0}, [root]
    found = []
    state = {}
    stack = [(root, iter(root.parents))]
    state[root] = "open"
    while stack:
        node, parents = stack[-1]
        for parent in parents:
            if parent not in state:
                state[parent] = "open"
                stack.append((parent, iter(parent.parents)))
                break
        else:
            stack.pop()
            found.append(node)
    return found


# %% backprop-solution
def backprop(root):
    gradient = {node: 0 for node in order(root)}
    gradient[root] = 1
    for node in list(gradient)[::-1]:
        for place in range(len(node.parents)):
            gradient[node.parents[place]] += gradient[node] * node.slopes[place]
    for node, value in gradient.items():
        node.grad = value


# %% PlainSGD-solution
import numpy as np


class PlainSGD:
    def __init__(self, params, lr, momentum=0.0, decay=0.0):
        self.params = [*params]
        self.lr, self.mu, self.wd = lr, momentum, decay
        self.v = [np.zeros(tuple(p.shape)) for p in self.params]

    def step(self):
        for k, p in enumerate(self.params):
            if p.grad is None:
                continue
            g = p.grad.numpy() + self.wd * p.detach().numpy()
            self.v[k] = self.mu * self.v[k] + g
            p.data -= self.lr * torch.as_tensor(self.v[k])

    def clear(self):
        for p in self.params:
            p.grad = None


# %% train-solution
def train(setting, X, t, seed):
    rng = torch.Generator().manual_seed(seed)
    i, params, acts = X.shape[1], [], []
    for o in setting["hidden"]:
        params += [layer(rng, i, o)]
        acts += [setting["act"]]
        i = o
    params += [layer(rng, i, setting["classes"])]
    acts += ["identity"]
    optimiser = PlainSGD(
        (p for pair in params for p in pair), lr=setting["lr"], momentum=setting["momentum"], decay=setting["decay"]
    )
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(X, t), batch_size=setting["batch"], shuffle=True, generator=rng
    )
    for _ in range(setting["epochs"]):
        for x, y in loader:
            out, cache = run_forward(params, acts, x)
            _, dY = criterion("ce", out, y)
            for (W, b), (dW, db) in zip(params, run_backward(params, acts, cache, dY)):
                W.grad = dW
                b.grad = db
            optimiser.step()
    return params, acts


def layer(rng, i, o):
    return torch.normal(0.0, 1 / i**0.5, (o, i), generator=rng, dtype=torch.float64), torch.zeros(
        o, dtype=torch.float64
    )
