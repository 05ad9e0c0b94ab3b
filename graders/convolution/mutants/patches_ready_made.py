"""The library's own unfold."""
# loses: patches
# killed by: test_patches_is_own_work

# %% patches-solution
import torch.nn.functional as F

def patches(x, kernel, stride):
    cut = F.unfold
    return cut(x, kernel, stride=stride)
