"""The batches are taken from the list."""
# loses: duel
# killed by: test_duel_can_be_repeated


# %% duel-solution
def duel(build, batches, hp, epochs, seed):
    losses, batches[:] = {"own": [], "lib": []}, [(X + 0.0, t) for X, t in batches[::-1]][::-1]
    for X, _ in batches:
        X *= 1.0000001
    for name in losses:
        torch.manual_seed(seed)
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
