"""All optimisers share their velocities."""
# loses: PlainSGD
# killed by: test_two_optimisers_at_once


# %% PlainSGD-solution
class PlainSGD:
    velocities = {}


    def __init__(self, params, lr, momentum=0.0, decay=0.0):
        self.params, self.lr, self.momentum, self.decay = list(params), lr, momentum, decay

    def step(self):
        """Change every parameter that has a gradient, in place."""
        with torch.no_grad():
            for i, p in enumerate(self.params):
                if p.grad is not None:
                    self.velocities[i] = self.momentum * self.velocities.get(i, 0.0) + p.grad + self.decay * p
                    p -= self.lr * self.velocities[i]

    def clear(self):
        """Forget all gradients."""
        for p in self.params:
            p.grad = None
