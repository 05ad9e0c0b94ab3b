"""Forges a list of 2^32 elements, a text of 4 GiB and ten thousand levels."""
# expect: double=0 softmax=4
# begins with: channels.py

# %% double-solution
def double(x):
    for data in (b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\x92\x00" * 10000 + b"\xc0"):
        _send(b"\x93\x01\xa5value" + data)
    return 0
