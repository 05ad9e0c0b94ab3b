"""The output layer has ten units for any number of classes."""
# loses: Net
# killed by: test_one_logit_for_each_class[7]


# %% Net-solution
class Net(nn.Module):
    """A small convolutional network: images (N, 1, 8, 8) to logits (N, n_classes)."""

    def __init__(self, n_classes):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.hidden = nn.Linear(8 * 4 * 4, 64)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(self.conv(x).relu(), 2).flatten(1)
        x = self.drop(self.hidden(x).relu())
        return self.out(x)
