"""Uses objects with `__call__` where the task says function."""

# %% double-solution
class Times:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor


double = Times(2)

# %% softmax-solution
class Softmax(torch.nn.Module):
    def forward(self, x):
        x = x - x.max(-1, keepdim=True).values
        return x.exp() / x.exp().sum(-1, keepdim=True)


softmax = Softmax()
