"""Returns NaN, which is neither above nor below a tolerance."""
# falls: a check that says `assert not (error > tol)`
# expect: double=0 softmax=0

# %% double-solution
def double(x):
    return x * float("nan")

# %% softmax-solution
def softmax(x):
    return x * float("nan")
