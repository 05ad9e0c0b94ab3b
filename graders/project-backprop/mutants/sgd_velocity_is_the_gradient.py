"""The first velocity is the gradient's own tensor."""
# loses: PlainSGD
# killed by: test_gradients_in_the_same_tensor[momentum]


# %% PlainSGD-solution
class PlainSGD:

    def __init__(self, params, lr, momentum=0.0, decay=0.0):
        self.params, self.lr, self.momentum, self.decay = list(params), lr, momentum, decay
        self.velocities = [0.0] * len(self.params)

    def step(self):
        """Change every parameter that has a gradient, in place."""
        with torch.no_grad():
            for i, p in enumerate(self.params):
                if p.grad is not None:
                    g = p.grad + self.decay * p if self.decay else p.grad
                    if isinstance(self.velocities[i], float):
                        self.velocities[i] = g
                    else:
                        self.velocities[i] = self.momentum * self.velocities[i] + g
                    p -= self.lr * self.velocities[i]

    def clear(self):
        """Forget all gradients."""
        for p in self.params:
            p.grad = None
