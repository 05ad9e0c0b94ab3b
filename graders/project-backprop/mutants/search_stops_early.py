"""The search stops at the first setting that is good enough."""
# loses: search
# killed by: test_best_on_validation


# %% search-solution
def search(grid, data, seed, train):
    best, best_val, val, model = None, -1, [], None
    for s in grid:
        m = train(s, *data["train"], seed)
        v = (run_forward(*m, data["val"][0])[0].argmax(1) == data["val"][1]).double().mean().item()
        val.append(v)
        if v > best_val: best, best_val, model = s, v, m
        if v > 0.8: break
    val += [0.0] * (len(grid) - len(val))
    return {"best": best, "val": val, "test": (run_forward(*model, data["test"][0])[0].argmax(1) == data["test"][1]).double().mean().item()}
