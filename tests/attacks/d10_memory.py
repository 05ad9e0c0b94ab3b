"""Takes all the memory that it gets, in one piece and in many processes."""
# falls: nbgrader 0.9.6 (6 GiB resident)
# expect: double=0 softmax=4

# %% double-solution
import os


def double(x):
    try:
        kept = torch.ones(2**34)
    except RuntimeError:
        kept = []
    for _ in range(8):
        if os.fork() == 0:
            break
    while True:
        kept.append(bytearray(os.urandom(1 << 20)) * 16)
