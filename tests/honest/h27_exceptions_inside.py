"""Raises and catches exceptions, also SystemExit, on its way to the answer."""

# %% spell-solution
def spell(word):
    letters = iter(word)
    found = ""
    try:
        while True:
            found = next(letters) + found
    except StopIteration:
        pass
    try:
        raise SystemExit(0)
    except SystemExit:
        return found
