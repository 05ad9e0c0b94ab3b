"""Asks the grader to call functions that no check has passed in, without end."""
# expect: double=0 softmax=4
# begins with: channels.py

# %% double-solution
from tensorgrade.wire import encode


def double(x):
    for number in (0, -1, 2**70, "eval", None):
        _send(encode(("callback", number, ("__import__('os').system('true')",), {})))
    while True:
        _send(encode(("callback", 0, (), {"name": "eval"})))
