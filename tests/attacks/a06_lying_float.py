"""Returns subclasses of float and list that lie when they are subtracted, compared or listed."""
# falls: PrairieLearn's Python grader
# expect: double=0 predict=0

# %% double-solution
class Near(float):
    def __sub__(self, other):
        return 0.0

    __rsub__ = __sub__

    def __abs__(self):
        return 0.0

    def __lt__(self, other):
        return True

    __le__ = __gt__ = __ge__ = __eq__ = __lt__
    __hash__ = float.__hash__


def double(x):
    return Near(0.0)

# %% predict-solution
class Labels(list):
    def __eq__(self, other):
        return True

    def __iter__(self):
        return iter(())


def predict(x, labels, new):
    return Labels([2] * len(new))
