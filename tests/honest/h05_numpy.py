"""Works in NumPy, and returns arrays where the task does not say tensor."""

# %% double-solution
import numpy as np


def double(x):
    return torch.from_numpy(np.asarray(x) * np.float32(2))

# %% predict-solution
def predict(x, labels, new):
    x, labels, new = (part.numpy() for part in (x, labels, new))
    centres = np.stack([x[labels == label].mean(axis=0) for label in (0, 1)])
    return ((new[:, None] - centres) ** 2).sum(-1).argmin(1)
