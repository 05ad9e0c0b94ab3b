"""Registers its parameter in another way and overrides what a module may override."""

# %% scale-solution
from torch import nn


class Base(nn.Module):
    def extra_repr(self):
        return "scales"


class Scale(Base):
    def __init__(self, size, **options):
        nn.Module.__init__(self)
        self.register_parameter("weight", nn.Parameter(torch.empty(size)))
        nn.init.normal_(self.weight)
        self.register_buffer("steps", torch.zeros(()), persistent=False)

    def forward(self, *inputs):
        (x,) = inputs
        return torch.mul(self.weight, x)
