"""Answers with errors of invented types, lines that no cell has and texts of megabytes."""
# expect: double=0 spell=0
# begins with: channels.py

# %% double-solution
from tensorgrade.wire import encode


def double(x):
    _send(encode(("error", "CheckFailure", "x" * 10**6, ((1, -5), (10**9, 1), (True, True), ("a", None)) * 1000)))
    return 0

# %% spell-solution
def spell(word):
    _send(encode(("error", "Passed" * 1000, word * 1000, tuple((n, n) for n in range(5000)))))
    return 0
