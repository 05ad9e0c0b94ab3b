"""Forges tensors with a dtype that there is not, with too few and with too many values."""
# expect: double=0 softmax=4
# begins with: channels.py

# %% double-solution
def _tensor(dtype, shape, raw):
    payload = struct.pack(f"<BB{len(shape)}Q", dtype, len(shape), *shape) + raw
    return b"\x93\x01\xa5value\xc7" + bytes([len(payload)]) + b"\x01" + payload


def double(x):
    _send(_tensor(200, (3,), b"0" * 12))
    _send(_tensor(8, (3,), b"0" * 8))
    _send(_tensor(8, (3,), b"0" * 40))
    return 0
