"""All weights start at 0."""
# loses: train
# killed by: test_start_of_training


# %% train-solution
def train(setting, X, t, seed):
    rng = torch.Generator().manual_seed(seed)
    widths = [X.shape[1], *setting["hidden"], setting["classes"]]
    shapes = list(zip(widths[1:], widths))
    params = [(torch.zeros(o, i).double(), torch.zeros(o).double()) for o, i in shapes]
    acts = [setting["act"] for _ in setting["hidden"]] + ["identity"]
    optimiser = PlainSGD(sum(params, ()), setting["lr"], setting["momentum"], setting["decay"])
    for _ in range(setting["epochs"]):
        for rows in torch.randperm(len(X), generator=rng).split(setting["batch"]):
            Y, cache = run_forward(params, acts, X[rows])
            grads = run_backward(params, acts, cache, criterion("ce", Y, t[rows])[1])
            for (W, b), (dW, db) in zip(params, grads):
                W.grad, b.grad = dW, db
            optimiser.step()
    return params, acts
