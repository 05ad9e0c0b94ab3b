"""Velocities in a dict by identity, a duel on copies of one network, training by indices."""


# %% PlainSGD-solution
class PlainSGD:
    def __init__(self, params, lr, momentum=0.0, decay=0.0):
        self.params = tuple(params)
        self.lr = lr
        self.momentum = momentum
        self.decay = decay
        self.v = {}

    @torch.no_grad()
    def step(self):
        for p in self.params:
            g = p.grad
            if g is None:
                continue
            g = g + self.decay * p
            v = self.v[id(p)] * self.momentum + g if id(p) in self.v else g
            self.v[id(p)] = v
            p.copy_(p - self.lr * v)

    def clear(self):
        for p in self.params:
            p.grad = None if p.grad is None else torch.zeros_like(p)


# %% duel-solution
import copy


def duel(build, batches, hp, epochs, seed):
    torch.manual_seed(seed)
    mine = build()
    theirs = copy.deepcopy(mine)
    own = PlainSGD(mine.parameters(), **hp)
    lib = torch.optim.SGD(theirs.parameters(), lr=hp["lr"], momentum=hp["momentum"], weight_decay=hp["decay"])

    def advance(net, forget, step, X, t):
        forget()
        loss = nn.CrossEntropyLoss()(net(X), t)
        loss.backward()
        step()
        return float(loss)

    both = [
        (advance(mine, own.clear, own.step, X, t), advance(theirs, lib.zero_grad, lib.step, X, t))
        for _ in range(epochs)
        for X, t in batches
    ]
    return {"own": [a for a, _ in both], "lib": [b for _, b in both]}


# %% train-solution
def train(setting, X, t, seed):
    generator = torch.Generator()
    generator.manual_seed(seed)
    sizes = [X.size(1)] + list(setting["hidden"]) + [setting["classes"]]
    params, acts = [], []
    for k in range(len(sizes) - 1):
        W = torch.empty(sizes[k + 1], sizes[k], dtype=torch.float64)
        W.normal_(0.0, sizes[k] ** -0.5, generator=generator)
        params.append((W, torch.zeros(sizes[k + 1], dtype=torch.float64)))
        acts.append("identity" if k == len(sizes) - 2 else setting["act"])
    optimiser = PlainSGD([p for pair in params for p in pair], setting["lr"], setting["momentum"], setting["decay"])
    epoch = 0
    while epoch < setting["epochs"]:
        order_of_rows = torch.rand(len(X), generator=generator).argsort()
        start = 0
        while start < len(X):
            chosen = order_of_rows[start : start + setting["batch"]]
            scores, cache = run_forward(params, acts, X[chosen])
            loss, d = criterion("ce", scores, t[chosen])
            for pair, grads in zip(params, run_backward(params, acts, cache, d)):
                for p, g in zip(pair, grads):
                    p.grad = g
            optimiser.step()
            optimiser.clear()
            start += setting["batch"]
        epoch += 1
    return params, acts


# %% search-solution
def search(grid, data, seed, train):
    X, t = data["train"]
    X_val, t_val = data["val"]
    X_test, t_test = data["test"]
    best, best_model, val = None, None, []
    for setting in grid:
        model = train(setting, X, t, seed)
        val.append(share_right(model, X_val, t_val))
        if best is None or val[-1] > max(val[:-1]):
            best, best_model = setting, model
    return dict(best=best, val=val, test=share_right(best_model, X_test, t_test))


def share_right(model, X, t):
    right = 0
    for scores, label in zip(run_forward(*model, X)[0], t):
        right += int(scores.argmax() == label)
    return right / len(t)
