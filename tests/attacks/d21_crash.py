"""Crashes the interpreter: a null pointer, a stack without end."""
# falls: PrairieLearn's Python grader (no verdict)
# expect: double=0 spell=0 softmax=4

# %% double-solution
import ctypes


def double(x):
    ctypes.string_at(0)

# %% spell-solution
import sys


def spell(word):
    sys.setrecursionlimit(10**9)

    def deeper(n):
        return repr(type("X", (), {"__repr__": lambda self: deeper(n + 1)})())

    return deeper(0)
