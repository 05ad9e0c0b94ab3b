"""A dataclass as cache, an optimiser with slots, both networks trained in turn."""


# %% run_forward-solution
from dataclasses import dataclass
from typing import Any

@dataclass
class Cache:
    inputs: list
    outs: list

def run_forward(params, acts, X):
    c = Cache([], [])
    for k in range(len(params)):
        W, b = params[k]
        c.inputs += [X]
        Z = nn.functional.linear(X, W, b)
        X = {"tanh": nn.Tanh(), "relu": nn.ReLU(), "sigmoid": nn.Sigmoid(), "identity": nn.Identity()}[acts[k]](Z)
        c.outs += [X]
    return (X, c)


# %% run_backward-solution
def run_backward(params, acts, cache, dY):
    out = []
    for k in reversed(range(len(params))):
        a = cache.outs[k]
        if acts[k] == "tanh": dZ = dY * (1 + a) * (1 - a)
        elif acts[k] == "sigmoid": dZ = dY * a * (1 - a)
        elif acts[k] == "relu": dZ = dY * torch.heaviside(a, torch.zeros(()))
        else: dZ = dY
        out = [(torch.matmul(cache.inputs[k].T, dZ).T, dZ.sum(0))] + out
        dY = torch.matmul(dZ, params[k][0])
    return tuple(out)


# %% PlainSGD-solution
class PlainSGD(object):
    __slots__ = ("params", "lr", "momentum", "decay", "state")
    def __init__(self, params, lr, momentum=0., decay=0.):
        self.params = [p for p in params]
        self.lr, self.momentum, self.decay = lr, momentum, decay
        self.state = [None for _ in self.params]
    def step(self):
        for i in range(len(self.params)):
            p = self.params[i]
            with torch.no_grad():
                if p.grad is not None:
                    d = p.grad.add(p, alpha=self.decay)
                    self.state[i] = d if self.state[i] is None else self.state[i] * self.momentum + d
                    p.sub_(self.state[i], alpha=self.lr)
    def clear(self):
        for p in self.params:
            if p.grad is not None:
                p.grad = torch.zeros_like(p.grad)


# %% train-solution
def train(setting, X, t, seed):
    rng = torch.Generator().manual_seed(seed)
    acts = [setting["act"]] * len(setting["hidden"]); acts.append("identity")
    ins = [X.shape[-1]] + setting["hidden"]; outs = setting["hidden"] + [setting["classes"]]
    params = []
    for i, o in zip(ins, outs):
        params.append((torch.nn.init.normal_(torch.empty(o, i, dtype=torch.double), std=i**-0.5, generator=rng), X.new_zeros(o)))
    opt = PlainSGD([*(W for W, _ in params), *(b for _, b in params)], **{k: setting[k] for k in ("lr", "momentum", "decay")})
    N, B = len(X), setting["batch"]
    for epoch in range(setting["epochs"]):
        perm = torch.randperm(N, generator=rng)
        Xs, ts = X[perm], t[perm]
        for k in range(0, N, B):
            opt.clear()
            scores, cache = run_forward(params, acts, Xs[k:k + B])
            grads = run_backward(params, acts, cache, criterion("ce", scores, ts[k:k + B])[1])
            for p, g in zip(params, grads):
                for a, b in zip(p, g): a.grad = b
            opt.step()
    return params, acts


# %% duel-solution
def duel(build, batches, hp, epochs, seed):
    nets = []
    for _ in range(2):
        torch.manual_seed(seed)
        nets.append(build())
    opts = [PlainSGD(nets[0].parameters(), hp["lr"], hp["momentum"], hp["decay"]),
            torch.optim.SGD([{"params": nets[1].parameters()}], lr=hp["lr"], momentum=hp["momentum"], weight_decay=hp["decay"])]
    forget = [opts[0].clear, opts[1].zero_grad]
    losses = [[], []]
    for _ in range(epochs):
        for X, t in batches:
            for k in (0, 1):
                forget[k]()
                loss = torch.nn.functional.cross_entropy(nets[k](X), t)
                losses[k].append(loss.item())
                loss.backward()
                opts[k].step()
    return {"own": losses[0], "lib": losses[1]}
