"""Takes a good part of the time that a check may take."""

# %% spell-solution
import time


def spell(word):
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    return word[::-1]
