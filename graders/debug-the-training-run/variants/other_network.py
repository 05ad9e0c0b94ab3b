"""A deeper network with batch norm, in one Sequential."""


# %% Net-solution
class Net(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding="same"),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.LazyLinear(48),
            nn.GELU(),
            nn.Dropout(0.3),
            nn.Linear(48, n_classes),
        )
        self.layers(torch.zeros(2, 1, 8, 8))

    def forward(self, x):
        return self.layers(x)
