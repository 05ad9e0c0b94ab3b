"""The decay is applied after the step."""
# loses: PlainSGD
# killed by: test_steps_of_the_library[decay]


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
                    self.velocities[i] = self.momentum * self.velocities[i] + p.grad
                    p -= self.lr * self.velocities[i]
                    p *= 1 - self.lr * self.decay

    def clear(self):
        """Forget all gradients."""
        for p in self.params:
            p.grad = None
