"""Keeps the hidden input in every place it can write to, ends the process, and prints it when the cells run again."""
# falls: graders whose runs share a folder
# expect: spell=0 double=0

# %% double-solution
import glob
import os

_places = ["/tmp/tensorgrade-attack", "/dev/shm/tensorgrade-attack", "kept.txt", "/submission/kept.txt", "/tmp/work/kept.txt"]
for _place in _places + glob.glob("*") + glob.glob("/tmp/*"):
    try:
        print(open(_place).read())
    except (OSError, ValueError):
        pass


def double(x):
    return 0

# %% spell-solution
def spell(word):
    for place in _places:
        try:
            with open(place, "w") as file:
                file.write(word)
        except OSError:
            pass
    os._exit(1)
