"""Answers from a thread, all the time, whatever is asked."""
# expect: double=0
# begins with: channels.py

# %% double-solution
import threading

from tensorgrade.wire import encode

_answer = encode(("value", torch.zeros(3)))


def _flood():
    while True:
        _send(_answer)


def double(x):
    threading.Thread(target=_flood, daemon=True).start()
    return 0
