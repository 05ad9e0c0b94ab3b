"""Returns lists and generators where a sequence is asked for."""

# %% predict-solution
def predict(x, labels, new):
    centres = [x[labels == label].mean(0) for label in (0, 1)]
    return [min((0, 1), key=lambda label: float(((point - centres[label]) ** 2).sum())) for point in new]
