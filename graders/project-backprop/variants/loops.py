"""Loops over single rows and units, lists of numbers."""


# %% order-solution
def order(root):
    reachable, waiting = {id(root): root}, [root]
    while waiting:
        for parent in waiting.pop().parents:
            if id(parent) not in reachable:
                reachable[id(parent)] = parent
                waiting.append(parent)
    children, missing = {}, {}
    for node in reachable.values():
        missing[id(node)] = len(node.parents)
        for parent in node.parents:
            children.setdefault(id(parent), []).append(node)
    ready = [node for node in reachable.values() if not node.parents]
    found = []
    while ready:
        node = ready.pop(0)
        found.append(node)
        for child in children.get(id(node), []):
            missing[id(child)] -= 1
            if missing[id(child)] == 0:
                ready.append(child)
    return found


# %% run_forward-solution
def run_forward(params, acts, X):
    rows_of_layers, rows = [list(X)], list(X)
    for (W, b), act in zip(params, acts):
        sums = [torch.stack([(w * row).sum() + c for w, c in zip(W, b)]) for row in rows]
        rows = [squash(act, row) for row in sums]
        rows_of_layers.append(rows)
    return torch.stack(rows), rows_of_layers


def squash(act, z):
    if act == "tanh":
        return z.tanh()
    if act == "relu":
        return torch.where(z > 0, z, torch.zeros_like(z))
    if act == "sigmoid":
        return 1 / (1 + torch.exp(-z))
    return z


# %% run_backward-solution
def run_backward(params, acts, cache, dY):
    sums = [[torch.zeros_like(W), torch.zeros_like(b)] for W, b in params]
    for n in range(len(dY)):
        d = dY[n]
        for layer in range(len(params) - 1, -1, -1):
            h = cache[layer + 1][n]
            if acts[layer] == "tanh":
                d = d - d * h * h
            elif acts[layer] == "relu":
                d = torch.where(h > 0, d, torch.zeros_like(d))
            elif acts[layer] == "sigmoid":
                d = d * h * (1 - h)
            sums[layer][0] += torch.outer(d, cache[layer][n])
            sums[layer][1] += d
            d = params[layer][0].T @ d
    return [tuple(pair) for pair in sums]


# %% criterion-solution
def criterion(kind, Y, T):
    total, slopes = 0.0, []
    for y, t in zip(Y, T):
        if kind == "sq":
            total += float(((y - t) ** 2).sum())
            slopes.append(2 * (y - t))
        else:
            largest = y.max()
            log_sum = largest + math.log(sum(math.exp(v - largest) for v in y))
            total += float(log_sum - y[t])
            p = torch.exp(y - log_sum)
            p[t] -= 1
            slopes.append(p)
    return total / len(Y), torch.stack(slopes) / len(Y)


# %% probe_gradient-solution
def probe_gradient(f, theta, eps=1e-6, n=None, seed=0):
    chosen = list(range(len(theta)))
    if n is not None:
        import random

        chosen = random.Random(seed).sample(chosen, n)
    found = []
    for i in chosen:
        above, below = theta.clone(), theta.clone()
        above[i] = theta[i] + eps
        below[i] = theta[i] - eps
        found.append((f(above) - f(below)) / (2 * eps))
    return torch.tensor(chosen), torch.tensor(found)
