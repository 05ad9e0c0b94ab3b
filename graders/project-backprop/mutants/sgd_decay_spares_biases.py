"""Parameters with one axis do not decay."""
# loses: PlainSGD
# killed by: test_steps_of_the_library[decay]


# %% PlainSGD-solution
class PlainSGD:
    def __init__(self, params, lr, momentum=0.0, decay=0.0):
        self.params, self.lr, self.momentum, self.decay = list(params), lr, momentum, decay
        self.v = [torch.zeros_like(p) for p in self.params]
    @torch.no_grad()
    def step(self):
        for p, v in zip(self.params, self.v):
            if p.grad is None: continue
            g = p.grad + (self.decay * p if p.dim() > 1 else 0)
            v.mul_(self.momentum).add_(g)
            p -= self.lr * v
    def clear(self):
        for p in self.params: p.grad = None
