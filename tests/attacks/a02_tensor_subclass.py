"""Returns zeros as a subclass of torch.Tensor that answers every function of torch with true."""
# falls: pytest in the student's process
# expect: double=0

# %% double-solution
class Sly(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func in (torch.allclose, torch.equal, torch.Tensor.allclose, torch.Tensor.equal):
            return True
        if func in (torch.isclose, torch.Tensor.eq, torch.Tensor.__eq__):
            return torch.ones(1, dtype=torch.bool)
        return super().__torch_function__(func, types, args, kwargs or {})


def double(x):
    return torch.zeros_like(x).as_subclass(Sly)
