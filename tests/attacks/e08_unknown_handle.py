"""Answers with handles of objects that there are not, and with a reference to the grader's functions."""
# expect: double=0 spell=0
# begins with: channels.py

# %% double-solution
from tensorgrade.wire import Callback, Handle, encode


def double(x):
    _send(encode(("value", Handle(2**63))))
    return 0

# %% spell-solution
def spell(word):
    _send(encode(("value", Callback(0))))
    return 0
