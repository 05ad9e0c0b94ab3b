"""Returns honest subclasses: a tensor with units, a named tuple turned into a list, a str with a method."""

# %% double-solution
class Metres(torch.Tensor):
    pass


def double(x):
    return (x + x).as_subclass(Metres)

# %% spell-solution
class Word(str):
    def shout(self):
        return self.upper()


def spell(word):
    return Word(word[::-1])
