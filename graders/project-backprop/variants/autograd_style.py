"""A network of parameters that ask for gradients in Part B, one foreach step for all."""


# %% PlainSGD-solution
class PlainSGD:
    def __init__(self, params, lr, momentum=0.0, decay=0.0):
        self.params, self.velocities = [], []
        for p in params:
            self.params.append(p)
            self.velocities.append(torch.zeros_like(p, requires_grad=False))
        self.lr, self.momentum, self.decay = lr, momentum, decay

    def step(self):
        pairs = [(p, v) for p, v in zip(self.params, self.velocities) if p.grad is not None]
        if not pairs:
            return
        params, velocities = map(list, zip(*pairs))
        with torch.no_grad():
            gradients = torch._foreach_add([p.grad for p in params], params, alpha=self.decay)
            torch._foreach_mul_(velocities, self.momentum)
            torch._foreach_add_(velocities, gradients)
            torch._foreach_add_(params, velocities, alpha=-self.lr)

    def clear(self):
        [setattr(p, "grad", None) for p in self.params]


# %% duel-solution
def duel(build, batches, hp, epochs, seed):
    def race(make):
        torch.manual_seed(seed)
        net = build()
        optimiser, losses = make(net.parameters()), []
        for step in range(epochs * len(batches)):
            X, t = batches[step % len(batches)]
            for p in net.parameters():
                p.grad = None
            loss = nn.functional.nll_loss(net(X).log_softmax(1), t)
            losses.append(loss.detach().item())
            loss.backward()
            optimiser.step()
        return losses

    lib = race(lambda p: torch.optim.SGD(p, lr=hp["lr"], momentum=hp["momentum"], weight_decay=hp["decay"]))
    return {"lib": lib, "own": race(lambda p: PlainSGD(p, hp["lr"], momentum=hp["momentum"], decay=hp["decay"]))}
