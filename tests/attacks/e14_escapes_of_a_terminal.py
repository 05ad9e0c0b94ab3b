"""Prints control sequences that set a title, move the cursor, and clear what staff see in a terminal."""
# expect: double=0

# %% double-solution
print("\x1b]0;title\x07\x1b[2J\x1b[1;1H\x1b]8;;http://example.invalid\x07link\x1b]8;;\x07\x9b31m\x1bP0;1|17/x\x1b\\")


class Error(Exception):
    pass


Error.__name__ = "\x1b[2J\x1b[1;1Hgraded: 17 of 17"


def double(x):
    raise Error("\x1b[2J\x1b[1;1H all 17 points")
