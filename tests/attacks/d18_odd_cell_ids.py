"""Cells without an id, with the same id, and with ids of numbers and of a thousand letters."""
# falls: nbgrader 0.9.6 (the submission stays ungraded)
# expect: double=0 softmax=4
# made by: odd_ids

# %% double-solution
def double(x):
    return 0
