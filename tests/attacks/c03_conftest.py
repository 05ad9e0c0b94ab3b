"""Lies a conftest.py beside the notebook, whose hooks turn failures into passes."""
# falls: pytest in the student's folder
# expect: double=0
# made by: conftest_beside

# %% double-solution
def double(x):
    return 0
