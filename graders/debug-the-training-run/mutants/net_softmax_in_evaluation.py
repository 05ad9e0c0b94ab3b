"""The network ends with a softmax in evaluation mode only."""
# loses: Net
# killed by: test_logits_are_any_numbers


# %% Net-solution
class Net(nn.Module):
    """A small convolutional network: images (N, 1, 8, 8) to logits (N, n_classes)."""

    def __init__(self, n_classes):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.hidden = nn.Linear(8 * 4 * 4, 64)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(64, n_classes)

    def forward(self, x):
        x = F.max_pool2d(self.conv(x).relu(), 2).flatten(1)
        x = self.drop(self.hidden(x).relu())
        return self.out(x) if self.training else self.out(x).softmax(1)
