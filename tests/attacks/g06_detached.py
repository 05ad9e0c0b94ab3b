"""Computes the right values, through which no gradient flows."""
# expect: softmax=3

# %% softmax-solution
def softmax(x):
    weights = (x - x.max(-1, keepdim=True).values).exp().detach()
    return weights / weights.sum(-1, keepdim=True)
