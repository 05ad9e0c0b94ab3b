"""The setting is picked on validation and test rows together."""
# loses: search
# killed by: test_best_on_validation


# %% search-solution
def search(grid, data, seed, train):
    ms = [train(s, *data["train"], seed) for s in grid]
    acc = lambda m, X, t: (run_forward(*m, X)[0].argmax(1) == t).double().mean().item()
    val = [acc(m, *data["val"]) for m in ms]
    X = torch.cat([data["val"][0], data["test"][0]]); t = torch.cat([data["val"][1], data["test"][1]])
    both = [acc(m, X, t) for m in ms]
    b = both.index(max(both))
    return {"best": grid[b], "val": val, "test": acc(ms[b], *data["test"])}
