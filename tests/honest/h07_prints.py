"""Prints much, also things that look like a verdict."""

# %% spell-solution
def spell(word):
    print("FAILED", word, "0 of 4 points")
    print("x" * 10000)
    return word[::-1]
