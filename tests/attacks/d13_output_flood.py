"""Prints without end, on both streams, in objects and in a traceback."""
# falls: graders that keep all output in memory
# expect: double=0 softmax=4

# %% double-solution
import sys


def double(x):
    raise ValueError("x" * 10**7)


while True:
    print("x" * 100000)
    print("y" * 100000, file=sys.stderr)
    display({"text/html": "<b>z</b>" * 10000}, raw=True)
