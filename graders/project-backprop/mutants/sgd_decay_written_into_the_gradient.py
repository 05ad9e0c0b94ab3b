"""The decay is added to .grad in place."""
# loses: PlainSGD
# killed by: test_gradients_in_the_same_tensor[decay]


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
                    p.grad += self.decay * p
                    self.velocities[i] = self.momentum * self.velocities[i] + p.grad
                    p -= self.lr * self.velocities[i]

    def clear(self):
        """Forget all gradients."""
        for p in self.params:
            p.grad = None
