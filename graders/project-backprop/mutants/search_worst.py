"""The worst setting is picked."""
# loses: search
# killed by: test_best_on_validation
# measured by: test_digits_are_told_apart


# %% search-solution
def search(grid, data, seed, train):
    models = [train(setting, *data["train"], seed) for setting in grid]
    val = [accuracy(*model, *data["val"]) for model in models]
    best = val.index(min(val))
    return {"best": grid[best], "val": val, "test": accuracy(*models[best], *data["test"])}


def accuracy(params, acts, X, t):
    """The share of rows whose largest score is at the right class."""
    scores, _ = run_forward(params, acts, X)
    return (scores.argmax(dim=1) == t).double().mean().item()
