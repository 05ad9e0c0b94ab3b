"""Raises SystemExit with the code of success, also from an object that is turned into an array."""
# falls: a runner that takes SystemExit(0) for a pass
# expect: double=0 spell=0

# %% double-solution
class Exits:
    def __array__(self, *args, **kwargs):
        raise SystemExit(0)

    def __len__(self):
        raise SystemExit(0)


def double(x):
    raise SystemExit(0)

# %% spell-solution
def spell(word):
    return Exits()
