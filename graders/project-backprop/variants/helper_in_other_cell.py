"""Slopes and accuracy as helpers in other cells, recursion by an explicit generator."""

# %% run_forward-solution
ACTIVATION_AND_SLOPE = {
    "tanh": (torch.tanh, lambda z, h: 1 - h * h),
    "relu": (torch.relu, lambda z, h: z.sign().clamp(min=0)),
    "sigmoid": (torch.sigmoid, lambda z, h: h - h * h),
    "identity": (lambda z: z, lambda z, h: 1.0),
}


def run_forward(params, acts, X):
    caches = []

    def through(H, layer):
        if layer == len(params):
            return H
        W, b = params[layer]
        Z = H.matmul(W.transpose(0, 1)).add(b)
        out = ACTIVATION_AND_SLOPE[acts[layer]][0](Z)
        caches.append((H, Z, out))
        return through(out, layer + 1)

    return through(X, 0), {"layers": caches, "note": "input, z and output of each layer"}


def correct(model, X, t):
    return (run_forward(model[0], model[1], X)[0].argmax(1) == t).sum().item() / len(t)


# %% run_backward-solution
def run_backward(params, acts, cache, dY):
    def back(layer, d):
        if layer < 0:
            return []
        H, Z, out = cache["layers"][layer]
        d = d * ACTIVATION_AND_SLOPE[acts[layer]][1](Z, out)
        return [*back(layer - 1, d @ params[layer][0]), (H.T.matmul(d).T, torch.ones(len(d), dtype=d.dtype) @ d)]

    return back(len(params) - 1, dY)


# %% search-solution
def search(grid, data, seed, train):
    models = []
    for setting in grid:
        models.append(train(setting, data["train"][0], data["train"][1], seed))
    val = list(map(lambda model: correct(model, *data["val"]), models))
    place = int(torch.tensor(val).argmax())
    place = max(range(len(val)), key=val.__getitem__)
    return {"test": correct(models[place], *data["test"]), "val": val, "best": dict(grid[place])}
