"""Announces a reply of 2^40 bytes on the worker's own socket, then of -1."""
# expect: double=0 softmax=4
# begins with: channels.py

# %% double-solution
def double(x):
    _send(b"", announced=2**40)
    _send(b"", announced=2**64 - 1)
    return 0
