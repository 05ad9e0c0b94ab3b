"""The generator is seeded for the first network only."""
# loses: duel
# killed by: test_both_learn_alike


# %% duel-solution
def duel(build, batches, hp, epochs, seed):
    losses = {"own": [], "lib": []}
    torch.manual_seed(seed)
    for name in losses:
        net = build()
        optimiser = torch.optim.SGD(net.parameters(), hp["lr"], hp["momentum"], weight_decay=hp["decay"])
        if name == "own":
            optimiser = PlainSGD(net.parameters(), hp["lr"], hp["momentum"], hp["decay"])
        for _ in range(epochs):
            for X, t in batches:
                loss = nn.functional.cross_entropy(net(X), t)
                net.zero_grad()
                loss.backward()
                optimiser.step()
                losses[name].append(loss.item())
    return losses
