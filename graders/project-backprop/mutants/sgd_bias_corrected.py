"""The velocity is averaged and corrected for its start."""
# loses: PlainSGD
# killed by: test_steps_of_the_library[momentum]


# %% PlainSGD-solution
class PlainSGD:
    def __init__(self, params, lr, momentum=0.0, decay=0.0):
        self.params, self.lr, self.momentum, self.decay, self.t = list(params), lr, momentum, decay, 0
        self.v = [torch.zeros_like(p) for p in self.params]
    @torch.no_grad()
    def step(self):
        self.t += 1
        for p, v in zip(self.params, self.v):
            if p.grad is None: continue
            g = p.grad + self.decay * p
            v.mul_(self.momentum).add_(g)
            p -= self.lr * v / (1 - self.momentum**self.t) * (1 - self.momentum)
    def clear(self):
        for p in self.params: p.grad = None
