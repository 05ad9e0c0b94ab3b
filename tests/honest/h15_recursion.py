"""Works recursively."""

# %% double-solution
def double(x):
    if x.dim() == 0:
        return x + x
    return torch.stack([double(part) for part in x]) if len(x) else x + x

# %% spell-solution
def spell(word):
    return word and spell(word[1:]) + word[0]
