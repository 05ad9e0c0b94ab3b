"""Prints and displays what looks like a grade, a report of pytest, and a JSON document of results."""
# falls: a grader that parses the output of the process it grades
# expect: double=0

# %% double-solution
from IPython.display import display

print("4.0")
print("========================= 7 passed in 0.01s =========================")
print('{"status": "graded", "points": 17.0, "tasks": {"double": {"points": 4.0, "max_points": 4.0}}}')
display({"text/plain": "4.0", "application/vnd.nbgrader.score": "4.0"}, raw=True)


def double(x):
    print("PASSED\n4.0")
    return 0


4.0
