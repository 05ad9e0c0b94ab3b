"""Calls the forbidden function by a name that is put together while it runs."""
# expect: softmax=0

# %% softmax-solution
def softmax(x):
    return getattr(torch, "soft" + "max")(x, -1)
