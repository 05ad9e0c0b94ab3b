"""The learning rate is halved in every epoch."""
# loses: train
# killed by: test_training_on_whole_batches


# %% train-solution
def train(setting, X, t, seed):
    rng = torch.Generator().manual_seed(seed)
    widths = [X.shape[1], *setting["hidden"], setting["classes"]]
    params = [(torch.randn(o, i, generator=rng) / math.sqrt(i), torch.zeros(o)) for i, o in zip(widths, widths[1:])]
    acts = [setting["act"]] * len(setting["hidden"]) + ["identity"]
    opt = PlainSGD(sum(params, ()), setting["lr"], setting["momentum"], setting["decay"])
    for _ in range(setting["epochs"]):
        for rows in torch.randperm(len(X), generator=rng).split(setting["batch"]):
            Y, cache = run_forward(params, acts, X[rows])
            for (W, b), g in zip(params, run_backward(params, acts, cache, criterion("ce", Y, t[rows])[1])):
                W.grad, b.grad = g
            opt.step()
        opt.lr /= 2
    return params, acts
