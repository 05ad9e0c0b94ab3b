"""Answers with a dict whose keys all have one hash, which takes hours to build."""
# expect: double=0 spell=0

# %% double-solution
import sys


def double(x):
    return {number * sys.hash_info.modulus: 0 for number in range(1, 4000)}

# %% spell-solution
def spell(word):
    return {(number * sys.hash_info.modulus,): 0 for number in range(1, 3000)}
