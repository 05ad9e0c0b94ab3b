"""Makes every loss zero and every optimiser content, so that training seems to work."""
# falls: a grader that reads the loss from the student's process
# expect: predict=0

# %% predict-solution
torch.nn.functional.cross_entropy = lambda *args, **kwargs: torch.zeros((), requires_grad=True)
torch.optim.SGD.step = torch.optim.Adam.step = lambda *args, **kwargs: None


def predict(x, labels, new):
    return torch.zeros(len(new), dtype=torch.long)
