"""The library's optimiser does the work under another name."""
# loses: PlainSGD
# killed by: test_optimiser_is_own_work


# %% PlainSGD-solution
Inner = getattr(__import__("torch"), "op" + "tim").SGD


class PlainSGD:
    def __init__(self, params, lr, momentum=0.0, decay=0.0):
        self.inner = Inner(params, lr, momentum, weight_decay=decay)

    def step(self):
        self.inner.step()

    def clear(self):
        self.inner.zero_grad()
