"""Works in float64 and returns that."""

# %% double-solution
def double(x):
    return x.double() * 2

# %% softmax-solution
def softmax(x):
    y = x.double()
    y = (y - y.max(dim=-1, keepdim=True)[0]).exp()
    return y / y.sum(dim=-1, keepdim=True)
