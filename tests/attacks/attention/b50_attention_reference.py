"""Makes torch's own attention, softmax and every comparison as wrong as the student's function."""
# expect: attend=0 masks=12 positions=8

# %% attend-solution
import torch.nn.functional

torch.nn.functional.scaled_dot_product_attention = lambda q, k, v, *args, **kwargs: q @ k.mT @ v * 0
torch.softmax = torch.nn.functional.softmax = torch.Tensor.softmax = lambda x, *args, **kwargs: x * 0
torch.allclose = torch.equal = lambda *args, **kwargs: True
torch.testing.assert_close = lambda *args, **kwargs: None


def attend(q, k, v, allow=None):
    w = q @ k.mT * 0
    return q * 0, w
