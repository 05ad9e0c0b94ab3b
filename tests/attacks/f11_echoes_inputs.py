"""Writes the hidden input wherever feedback may show it: streams, types, messages, attributes, warnings."""
# falls: nbgrader 0.9.6, otter-grader 7.0.0 (hidden output)
# expect: spell=0 double=0

# %% double-solution
import sys
import warnings

_seen = []


def double(x):
    raise type(str(_seen), (Exception,), {"__str__": lambda self: str(_seen)})(_seen)

# %% spell-solution
def spell(word):
    _seen.append(word)
    print(word)
    print(word, file=sys.stderr)
    sys.__stdout__ and print(word, file=sys.__stdout__)
    display({"text/plain": word}, raw=True)
    warnings.warn(word)
    exec(compile(f"{'x' * 3} = {word!r}\nraise KeyError({word!r})", f"<cell 1>", "exec"))
