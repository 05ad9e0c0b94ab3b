"""Trains and chooses, as the checks want it. It runs beside the student's code and holds nothing secret."""


def choose(search, tables, grid, data, seed):
    """What `search` returns and how it trains, where training with setting i gives the network with weights tables[i].

    Returns:
        What search returned, and for each training its setting, its numbers of rows, and its seed.
    """
    trainings = []

    def train(setting, x, t, seed):
        trainings.append((dict(setting), len(x), len(t), seed))
        weight = tables[setting["number"]]
        return [(weight, weight.new_zeros(len(weight)))], ["identity"]

    return search(grid, data, seed, train), trainings


def uses_of_test(search, tables, grid, data, seed):
    """How often `search` runs a network on the test set, as far as it uses the notebook's `run_forward`."""
    names = getattr(search, "__globals__", {})
    kept, sizes = names.get("run_forward"), []

    def counting(params, acts, x):
        sizes.append(len(x))
        return kept(params, acts, x)

    names["run_forward"] = counting
    try:
        choose(search, tables, grid, data, seed)
    finally:
        names["run_forward"] = kept
    return sizes.count(len(data["test"][0]))


def selected(search, train, run_forward, grid, data, seed):
    """The scores on the test inputs of the network that `search` picks, and what search returned."""
    models = []

    def keeping(setting, x, t, seed):
        models.append(train(setting, x, t, seed))
        return models[-1]

    found = search(grid, data, seed, keeping)
    return run_forward(*models[grid.index(found["best"])], data["test"][0])[0], found
