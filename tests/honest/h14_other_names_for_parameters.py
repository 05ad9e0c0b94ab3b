"""Calls its parameters otherwise, gives them types, defaults and a docstring."""

# %% double-solution
from torch import Tensor


def double(tensor: Tensor, /, factor: float = 2.0) -> Tensor:
    """Twice the tensor.

    >>> double(torch.ones(1))
    tensor([2.])
    """
    return factor * tensor

# %% spell-solution
def spell(s: "str", *rest, **options) -> "str":
    return s[::-1]
