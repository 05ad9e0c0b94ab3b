"""Predicts the class that nine of ten points have."""
# expect: predict=0

# %% predict-solution
def predict(x, labels, new):
    return torch.full((len(new),), int(labels.float().mean().round()))
