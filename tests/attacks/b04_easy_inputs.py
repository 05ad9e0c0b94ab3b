"""Makes torch.randn give zeros and seeds do nothing, so that the identity doubles every input."""
# falls: a grader that draws its inputs in the student's process
# expect: double=0

# %% double-solution
torch.manual_seed = lambda *args, **kwargs: None
torch.randn = torch.rand = lambda *shape, **kwargs: torch.zeros(shape)


def double(x):
    return x.clone()
