"""Says in the file that the task has a thousand points, and shows a thousand."""
# falls: nbgrader 0.9.6 (the whole submission stays ungraded)
# expect: double=0
# made by: thousand_points

# %% double-solution
def double(x):
    return 0


1000.0
