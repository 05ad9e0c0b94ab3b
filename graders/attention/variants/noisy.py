"""Correct, with prints, warnings, text on stderr and a test of one's own that fails."""

# %% attend-solution
import sys
import warnings

def attend(q, k, v, allow=None):
    print("attend", q.shape)
    print("Traceback (most recent call last): just kidding", file=sys.stderr)
    warnings.warn("scores may overflow")
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    if allow is None:
        allow = torch.tensor(True)
    scores = scores.masked_fill(allow.logical_not(), -torch.inf)
    w = torch.nn.functional.softmax(scores, dim=-1)
    w = torch.nan_to_num(w, nan=0.0)
    return w @ v, w

print("FAILED 0 points", file=sys.stderr)

# %% masks-solution
def mask_future(L):
    import numpy
    warnings.warn("deprecated", DeprecationWarning)
    return ~torch.ones(L, L, dtype=torch.bool).triu(diagonal=1)

def mask_pads(lengths, L):
    return torch.arange(L).expand(len(lengths), 1, L) < lengths.reshape(-1, 1, 1)

def mask_band(L, radius, globals=()):
    mask = sum(torch.diag(torch.ones(L - abs(o)), o) for o in range(-radius, radius + 1) if abs(o) < L)
    mask = mask.bool()
    for g in globals:
        mask[g, :] = mask[:, g] = True
    return mask

assert mask_future(2).sum() == 4, "my own test is wrong"

# %% positions-solution
def wave_positions(L, d):
    print("\x1b[31mpositions\x1b[0m", L, d, file=sys.stderr)
    p = torch.zeros(L, d)
    t = torch.arange(0, L, dtype=torch.float).unsqueeze(1)
    for c in range(0, d, 2):
        p[:, c : c + 1] = torch.sin(t / (10000 ** (c / d)))
        if c + 1 < d:
            p[:, c + 1 : c + 2] = torch.cos(t / (10000 ** (c / d)))
    return p
