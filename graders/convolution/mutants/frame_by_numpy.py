"""NumPy's pad, which has no gradients."""
# loses: frame
# killed by: test_frame_is_own_work

# %% frame-solution
import numpy as np

def frame(x, pad, value=0.0):
    ph, pw = pad
    return torch.from_numpy(np.pad(x.detach().numpy(), ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=value))
