"""Layers as objects in the cache, the slopes as closures."""


# %% run_forward-solution
class Layer:
    def __init__(self, W, b, act):
        self.W, self.b, self.act = W, b, act

    def forward(self, x):
        self.x = x
        self.z = torch.addmm(self.b, x, self.W.t())
        self.h = getattr(self, self.act)()
        return self.h

    def tanh(self):
        h = torch.tanh(self.z)
        self.slope = lambda d: d * (1 - h.square())
        return h

    def relu(self):
        self.slope = lambda d: d * (self.z > 0)
        return self.z.clamp(min=0.0)

    def sigmoid(self):
        h = self.z.sigmoid()
        self.slope = lambda d: d * h * (1 - h)
        return h

    def identity(self):
        self.slope = lambda d: d
        return self.z

    def backward(self, d):
        d = self.slope(d)
        self.grads = (d.t().mm(self.x), d.sum(0))
        return d.mm(self.W)


def run_forward(params, acts, X):
    layers = tuple(Layer(W, b, act) for (W, b), act in zip(params, acts))
    for layer in layers:
        X = layer.forward(X)
    return X, layers


# %% run_backward-solution
def run_backward(params, acts, cache, dY):
    for layer in cache[::-1]:
        dY = layer.backward(dY)
    return [layer.grads for layer in cache]


# %% PlainSGD-solution
class Parameter:
    def __init__(self, tensor):
        self.tensor, self.velocity = tensor, None

    def move(self, lr, momentum, decay):
        gradient = self.tensor.grad
        if gradient is None:
            return
        gradient = gradient.detach().clone()
        if decay != 0:
            gradient.add_(self.tensor.detach(), alpha=decay)
        if momentum != 0:
            if self.velocity is None:
                self.velocity = gradient.clone()
            else:
                self.velocity.mul_(momentum).add_(gradient)
            gradient = self.velocity
        self.tensor.data.add_(gradient, alpha=-lr)


class PlainSGD:
    def __init__(self, params, lr, momentum=0.0, decay=0.0):
        self.all = [Parameter(tensor) for tensor in params]
        self.lr, self.momentum, self.decay = lr, momentum, decay

    def step(self):
        for one in self.all:
            one.move(self.lr, self.momentum, self.decay)

    def clear(self):
        for one in self.all:
            if one.tensor.grad is not None:
                one.tensor.grad.zero_()
