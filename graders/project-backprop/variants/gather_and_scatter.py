"""Gather and scatter in place of masks, totals by identity, coordinates by multinomial."""


# %% backprop-solution
def backprop(root):
    total = {}
    nodes = order(root)
    for node in nodes:
        total[id(node)] = 0.0
    total[id(root)] = 1.0
    while nodes:
        node = nodes.pop()
        node.grad = total[id(node)]
        for parent, slope in zip(node.parents, node.slopes):
            total[id(parent)] += slope * total[id(node)]


# %% criterion-solution
def criterion(kind, Y, T):
    N = Y.size(0)
    with torch.no_grad():
        match kind:
            case "sq":
                diff = Y.sub(T)
                return float(diff.pow(2).sum(1).mean()), diff.mul(2).div(N)
            case "ce":
                m, _ = Y.max(dim=1)
                S = (Y - m[:, None]).exp()
                lse = m + S.sum(1).log()
                loss = (lse - Y.gather(1, T[:, None])[:, 0]).mean()
                g = S / S.sum(1)[:, None]
                g.scatter_add_(1, T[:, None], -torch.ones(N, 1))
                return loss, g / N


# %% probe_gradient-solution
def probe_gradient(f, theta, eps=1e-6, n=None, seed=0):
    P = theta.shape[0]
    idx = torch.arange(P) if n is None else torch.multinomial(torch.ones(P), n, generator=torch.Generator().manual_seed(seed))
    def one(i):
        e = torch.nn.functional.one_hot(i, P) * eps
        return (f(theta + e) - f(theta - e)) / (eps + eps)
    return idx, torch.stack([torch.as_tensor(one(i)) for i in idx])


# %% search-solution
def search(grid, data, seed, train):
    def acc(model, which):
        X, t = data[which]
        Y = run_forward(model[0], model[1], X)[0]
        return float((Y.max(dim=1).indices == t).sum() / len(t))
    tried = []
    for number, setting in enumerate(grid):
        model = train(dict(setting), data["train"][0], data["train"][1], seed)
        tried.append((-acc(model, "val"), number, model))
    best = sorted(tried, key=lambda one: one[:2])[0]
    return {"best": grid[best[1]], "val": [-a for a, _, _ in tried], "test": acc(best[2], "test")}


# %% order-solution
def order(root):
    import sys, threading
    seen, out = set(), []
    stack = [root]
    while stack:
        node = stack[-1]
        if id(node) in seen:
            stack.pop()
            continue
        todo = [p for p in node.parents if id(p) not in seen]
        if todo:
            stack.extend(todo)
        else:
            seen.add(id(node))
            out.append(node)
            stack.pop()
    return out
