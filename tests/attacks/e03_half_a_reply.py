"""Sends half a reply and ends."""
# expect: double=0 softmax=4
# begins with: channels.py

# %% double-solution
def double(x):
    _send(b"\x93\x01\xa5val", announced=64)
    os._exit(0)
