"""Works with einsum and matrices."""

# %% double-solution
def double(x):
    return torch.einsum("...,->...", x, torch.tensor(2.0, dtype=x.dtype))

# %% predict-solution
def predict(x, labels, new):
    one_hot = torch.eye(2)[labels]
    centres = torch.einsum("nc,nd->cd", one_hot, x) / one_hot.sum(0)[:, None]
    scores = new @ centres.T - (centres**2).sum(1) / 2
    return scores.argmax(-1)
