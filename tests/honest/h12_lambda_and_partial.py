"""Uses lambdas, functools.partial and operators."""

# %% double-solution
import functools
import operator

double = functools.partial(operator.mul, 2)

# %% spell-solution
spell = lambda word: word[::-1]
