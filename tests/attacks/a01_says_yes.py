"""Returns an object that is equal to everything, has every attribute and counts as true."""
# falls: nbgrader 0.9.6, PrairieLearn's Python grader, gradescope-utils
# expect: double=0

# %% double-solution
class Yes:
    __class__ = torch.Tensor
    shape = dtype = None

    def __eq__(self, other):
        return True

    def __getattr__(self, name):
        return lambda *args, **kwargs: self

    def __bool__(self):
        return True

    def __float__(self):
        return 0.0

    def __sub__(self, other):
        return 0

    __hash__ = object.__hash__


def double(x):
    return Yes()
