"""Takes half of the time that a check may take."""

# %% spell-solution
import time


def spell(word):
    until = time.process_time() + 0.4
    while time.process_time() < until:
        pass
    return word[::-1]
