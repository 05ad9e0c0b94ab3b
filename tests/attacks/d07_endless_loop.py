"""Never returns from a call."""
# falls: nbgrader 0.9.6 (the whole submission stays ungraded)
# expect: double=0 softmax=4

# %% double-solution
def double(x):
    while True:
        pass
