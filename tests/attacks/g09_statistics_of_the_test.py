"""Uses what the new points have in common, which a single new point does not tell."""
# expect: predict=3

# %% predict-solution
def predict(x, labels, new):
    centres = torch.stack([x[labels == label].mean(0) for label in (0, 1)])
    shift = new.sum(0) - new.sum(0).round(decimals=1)
    found = torch.cdist(new + shift, centres).argmin(1)
    return torch.where(new.mean() > 2, 1 - found, found)
