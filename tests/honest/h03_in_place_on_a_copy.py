"""Changes its own copy of the input in place."""

# %% double-solution
def double(x):
    y = x.clone()
    y *= 2
    return y

# %% softmax-solution
def softmax(x):
    y = x - x.amax(-1, keepdim=True)
    y = y.exp_()
    return y / y.sum(-1, keepdim=True)
