"""Gradients are clipped in both networks."""
# loses: duel
# killed by: test_both_learn_alike


# %% duel-solution
def duel(build, batches, hp, epochs, seed):
    out = {}
    for name in ("own", "lib"):
        torch.manual_seed(seed); net = build()
        opt = PlainSGD(net.parameters(), **hp) if name == "own" else torch.optim.SGD(net.parameters(), hp["lr"], hp["momentum"], weight_decay=hp["decay"])
        out[name] = []
        for _ in range(epochs):
            for X, t in batches:
                net.zero_grad(); loss = nn.functional.cross_entropy(net(X), t); loss.backward()
                nn.utils.clip_grad_norm_(net.parameters(), 0.5)
                opt.step(); out[name].append(loss.item())
    return out
