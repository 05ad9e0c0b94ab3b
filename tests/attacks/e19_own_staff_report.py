"""Hands in a staff report of its own, in which all points are given, and feedback beside it."""
# falls: graders that copy what lies beside a notebook to the place of their reports
# expect: double=0
# never: FORGED
# made by: own_report

# %% double-solution
def double(x):
    return 0
