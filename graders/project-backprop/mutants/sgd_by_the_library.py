"""The library's optimiser does the work."""
# loses: PlainSGD
# killed by: test_optimiser_is_own_work


# %% PlainSGD-solution
class PlainSGD:
    def __init__(self, params, lr, momentum=0.0, decay=0.0):
        self.inner = torch.optim.SGD(params, lr, momentum, weight_decay=decay)

    def step(self):
        self.inner.step()

    def clear(self):
        self.inner.zero_grad()
