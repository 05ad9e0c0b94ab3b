"""Rewrites the code of str and of the comparison in the interpreter of the worker, by ctypes."""
# falls: pytest in the student's process (forbiddenfruit)
# expect: spell=0

# %% spell-solution
import ctypes


def spell(word):
    # tp_richcompare of str: every string is equal to every other, as far as this process goes
    compare = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.py_object, ctypes.c_int)
    spell.keep = compare(lambda a, b, op: True)
    slot = id(str) + object.__sizeof__(str) - object.__sizeof__(str) + 200
    ctypes.c_void_p.from_address(slot).value = ctypes.cast(spell.keep, ctypes.c_void_p).value
    return "whatever"
