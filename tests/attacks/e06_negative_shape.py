"""Forges a tensor with a size that is negative as a signed number, and one with a hundred axes."""
# expect: double=0 softmax=4
# begins with: channels.py

# %% double-solution
def double(x):
    for sizes in ((2**63, 2), (2**64 - 1,), (1,) * 25):
        payload = struct.pack(f"<BB{len(sizes)}Q", 8, len(sizes), *sizes) + b"0" * 4
        _send(b"\x93\x01\xa5value\xc7" + bytes([len(payload)]) + b"\x01" + payload)
    return 0
