"""Autograd and the library train."""
# loses: train
# killed by: test_training_is_own_work


# %% train-solution
def train(setting, X, t, seed):
    rng = torch.Generator().manual_seed(seed)
    widths = [X.shape[1], *setting["hidden"], setting["classes"]]
    params = [
        ((torch.randn(o, i, generator=rng).double() / math.sqrt(i)).requires_grad_(), torch.zeros(o).double().requires_grad_())
        for i, o in zip(widths, widths[1:])
    ]
    acts = [setting["act"]] * len(setting["hidden"]) + ["identity"]
    optimiser = torch.optim.SGD(sum(params, ()), setting["lr"], setting["momentum"], weight_decay=setting["decay"])
    for _ in range(setting["epochs"]):
        for rows in torch.randperm(len(X), generator=rng).split(setting["batch"]):
            optimiser.zero_grad()
            nn.functional.cross_entropy(run_forward(params, acts, X[rows])[0], t[rows]).backward()
            optimiser.step()
    return [(W.detach(), b.detach()) for W, b in params], acts
