"""Replaces builtins that every check uses: all, any, abs, len, isinstance, AssertionError."""
# falls: nbgrader 0.9.6, pytest in the student's process
# expect: double=0

# %% double-solution
import builtins


class Never(Exception):
    pass


builtins.all = builtins.any = lambda *args: True
builtins.abs = lambda value: 0
builtins.AssertionError = Never


def double(x):
    return -x
