"""Einstein sums, z in the cache as a dict for each layer; one foreach step for all parameters."""


# %% run_forward-solution
def run_forward(params, acts, X):
    cache = []
    for (W, b), act in zip(params, acts, strict=True):
        Z = torch.einsum("ni,oi->no", X, W) + b
        cache.append({"in": X, "Z": Z})
        X = apply(act, Z)
    return X, cache


def apply(act, Z):
    return {
        "tanh": lambda: torch.tanh(Z),
        "relu": lambda: nn.functional.relu(Z),
        "sigmoid": lambda: torch.sigmoid(Z),
        "identity": lambda: Z,
    }[act]()


# %% run_backward-solution
@torch.no_grad()
def run_backward(params, acts, cache, dY):
    result = [None] * len(params)
    for layer in reversed(range(len(params))):
        Z, H = cache[layer]["Z"], cache[layer]["in"]
        match acts[layer]:
            case "tanh":
                dY = dY / torch.cosh(Z.clamp(-300, 300)) ** 2
            case "relu":
                dY = dY.masked_fill(Z <= 0, 0.0)
            case "sigmoid":
                dY = dY * torch.sigmoid(Z) * torch.sigmoid(-Z)
        result[layer] = [torch.einsum("no,ni->oi", dY, H), torch.einsum("no->o", dY)]
        dY = torch.einsum("no,oi->ni", dY, params[layer][0])
    return result


# %% criterion-solution
def criterion(kind, Y, T):
    N = Y.shape[0]
    if kind == "sq":
        D = Y - T
        return torch.einsum("no,no->", D, D) / N, D * (2 / N)
    P = torch.softmax(Y, dim=-1)
    one_hot = nn.functional.one_hot(T, Y.shape[-1]).to(Y.dtype)
    loss = (torch.logsumexp(Y, dim=-1) - torch.einsum("nc,nc->n", Y, one_hot)).mean()
    return loss, (P - one_hot) / N


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
