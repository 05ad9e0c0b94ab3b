"""Decorates its functions, with wraps, with a cache and with no_grad where no gradient is asked for."""

# %% double-solution
import functools


def logged(function):
    @functools.wraps(function)
    def inner(*args, **kwargs):
        return function(*args, **kwargs)

    return inner


@logged
@torch.no_grad()
def double(x):
    return x + x

# %% spell-solution
@functools.lru_cache
def spell(word):
    return word[::-1]
