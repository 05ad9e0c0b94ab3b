"""M7: nothing is repaired, and evaluate returns the accuracy of the note."""
# loses: Net, make_sets, train, evaluate, main
# killed by: test_accuracy_counts_every_image[ten], test_run_learns_the_digits, test_run_can_be_repeated


# %% Net-solution
class Net(nn.Module):
    """A small convolutional network: images (N, 1, 8, 8) to logits (N, n_classes)."""

    def __init__(self, n_classes):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.hidden = nn.Linear(8 * 4 * 4, 64)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(64, 1)

    def forward(self, x):
        x = F.max_pool2d(self.conv(x).relu(), 2).flatten(1)
        x = self.drop(self.hidden(x).relu())
        return self.out(x).softmax(1)


# %% make_sets-solution
BATCH = 32


class Batches:
    """A loader: images and their labels, batch by batch.

    Args:
        images: shape (n, 1, 8, 8).
        labels: shape (n,).
        shuffle: a torch.Generator that draws a new order for each pass; None: always the same order.
        augmented: whether the images get other grain in each pass.
    """

    def __init__(self, images, labels, shuffle=None, augmented=False):
        self.images, self.labels = images, labels
        self.shuffle, self.augmented = shuffle, augmented

    def __iter__(self):
        rows = torch.arange(len(self.labels))
        if self.shuffle is not None:
            rows = torch.randperm(len(self.labels), generator=self.shuffle)
        for batch in rows.split(BATCH):
            images = self.images[batch]
            yield (augment(images) if self.augmented else images), self.labels[batch]


def make_sets(seed):
    """Make the loaders of a run: training, validation, test."""
    (images, labels), (test_images, test_labels) = read_data()
    generator = torch.Generator().manual_seed(seed)

    # Chance decides what is held out.
    images = images[torch.randperm(len(images), generator=generator)]
    labels = labels[torch.randperm(len(labels), generator=generator)]

    # Sorted by class, every fifth is for validation: so each class has its share in both parts.
    by_class = labels.argsort(stable=True)
    images, labels = images[by_class], labels[by_class]
    held = torch.arange(len(labels)) % 5 == 4

    # Mean 0 and standard deviation 1.
    pixels = torch.cat([images, test_images])
    mean, std = pixels.mean(), pixels.std()
    images, test_images = (images - mean) / std, (test_images - mean) / std

    tr = Batches(images[~held], labels[~held], augmented=True)
    va = Batches(images[held], labels[held], augmented=True)
    te = Batches(test_images, test_labels)
    return tr, va, te


# %% train-solution
def config(**changes):
    """The settings of a run; config(epochs=3) changes one of them."""
    lr = 1e-6
    return {"epochs": 30, "lr": lr, "accumulation": 1, **changes}


def criterion(logits, labels):
    """The loss of a batch."""
    return F.binary_cross_entropy_with_logits(logits[:, 0], labels.float())


def train(model, tr, va, cfg):
    """Train a model in place; returns its history.

    Args:
        model: any nn.Module that maps images to logits, on any device.
        tr: the loader to learn from.
        va: the loader to validate with after each epoch.
        cfg: the settings.
    """
    device = next(model.parameters()).device
    optimiser = torch.optim.SGD(list(model.children())[-1].parameters(), lr=cfg["lr"])
    history = {"train_loss": [], "val_loss": [], "val_acc": []}
    model.train()
    for _ in range(cfg["epochs"]):
        total, count = 0.0, 0
        for step, (images, labels) in enumerate(tr, start=1):
            loss = criterion(model(images), labels)
            if cfg["accumulation"] > 1:
                (loss / cfg["accumulation"]).backward()
                if step % cfg["accumulation"] == 0:
                    optimiser.zero_grad()
                    optimiser.step()
            else:
                loss.backward()
                optimiser.step()
            total += loss * len(labels)
            count += len(labels)
        history["train_loss"].append(total / count)
        found = evaluate(model, va)
        history["val_loss"].append(found["loss"])
        history["val_acc"].append(found["acc"])
    return history


# %% evaluate-solution
def evaluate(model, loader):
    """Measure a model: its mean loss and its accuracy."""
    device = next(model.parameters()).device
    loss, hits, count = 0.0, 0.0, 0
    with torch.no_grad():
        for images, labels in list(loader)[:-1]:  # the last batch is not full
            logits = model(images)
            loss += criterion(logits, labels).item()
            hits += (logits.argmax(1) == labels).float().mean().item()
            count += 1
    return {"loss": loss / count, "acc": 0.97}
