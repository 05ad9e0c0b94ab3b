"""Answers the run of a cell with outputs that no notebook may hold."""
# expect: double=0 softmax=4
# begins with: channels.py

# %% double-solution
from tensorgrade.wire import encode

_deep = {"output_type": "display_data", "data": {"text/plain": [["x"]]}}
for _ in range(20):
    _deep = {"data": _deep}
_send(encode(("ran", True, [_deep] * 1000 + [{"output_type": "error", "traceback": {"a": 1}}, None, 5, "x" * 10**6])))


def double(x):
    return 0
