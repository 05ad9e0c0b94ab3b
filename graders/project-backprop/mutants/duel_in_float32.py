"""Both networks compute in single precision."""
# loses: duel
# killed by: test_both_learn_alike


# %% duel-solution
def duel(build, batches, hp, epochs, seed):
    out = {}
    for name in ("own", "lib"):
        torch.manual_seed(seed); net = build().float()
        opt = PlainSGD(net.parameters(), **hp) if name == "own" else torch.optim.SGD(net.parameters(), hp["lr"], hp["momentum"], weight_decay=hp["decay"])
        out[name] = []
        for _ in range(epochs):
            for X, t in batches:
                net.zero_grad(); loss = nn.functional.cross_entropy(net(X.float()), t); loss.backward()
                opt.step(); out[name].append(loss.item())
    return out
