"""Has cells that fail after the graded ones."""

# %% spell-solution
def spell(word):
    return word[::-1]


raise RuntimeError("an experiment that failed")

# %% predict-solution
def predict(x, labels, new):
    centres = torch.stack([x[labels == label].mean(0) for label in (0, 1)])
    return torch.cdist(new, centres).argmin(1)


predict(1, 2, 3)
