"""Imports inside functions, at the end of cells and under other names."""

# %% double-solution
def double(x):
    from operator import add as plus

    return plus(x, x)

# %% spell-solution
def spell(word):
    return "".join(deque(word).__reversed__())


from collections import deque
