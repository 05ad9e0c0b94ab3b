"""Returns a tensor without memory whose size and values a subclass makes up on demand."""
# expect: double=0

# %% double-solution
class Hollow(torch.Tensor):
    @staticmethod
    def __new__(cls, shape):
        return torch.Tensor._make_wrapper_subclass(cls, shape, dtype=torch.float32)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return torch.ones(1, dtype=torch.bool)


def double(x):
    return Hollow(x.shape)
