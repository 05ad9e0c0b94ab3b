"""Makes every comparison of torch true and returns zeros."""
# falls: nbgrader 0.9.6, otter-grader 7.0.0, PrairieLearn's Python grader, gradescope-utils
# expect: double=0

# %% double-solution
torch.allclose = torch.equal = lambda *args, **kwargs: True
torch.isclose = torch.eq = lambda a, b, **kwargs: torch.ones(1, dtype=torch.bool)
torch.Tensor.allclose = torch.Tensor.equal = lambda *args, **kwargs: True


def double(x):
    return torch.zeros_like(x)
