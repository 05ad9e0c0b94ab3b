"""Brings sitecustomize.py, usercustomize.py and a .pth file, which Python runs when it starts."""
# falls: a grader that starts Python in the student's folder
# expect: double=0
# made by: customize_beside

# %% double-solution
def double(x):
    return 0
