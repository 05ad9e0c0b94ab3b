"""The order is drawn from the number of the pass; RMSprop, gradients cleared by hand."""


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
            self.shuffle += 1
            rows = torch.randperm(len(rows), generator=torch.Generator().manual_seed(self.shuffle))
        for batch in rows.split(BATCH):
            images = self.images[batch]
            yield (augment(images) if self.augmented else images), self.labels[batch]


def make_sets(seed):
    """Make the loaders of a run: training, validation, test."""
    (images, labels), (test_images, test_labels) = read_data()
    generator = torch.Generator().manual_seed(seed)

    # Chance decides what is held out.
    order = torch.randperm(len(labels), generator=generator)
    images, labels = images[order], labels[order]

    # Sorted by class, every fifth is for validation: so each class has its share in both parts.
    by_class = labels.argsort(stable=True)
    images, labels = images[by_class], labels[by_class]
    held = torch.arange(len(labels)) % 5 == 4

    # Mean 0 and standard deviation 1.
    pixels = images[~held]
    mean, std = pixels.mean(), pixels.std()
    images, test_images = (images - mean) / std, (test_images - mean) / std

    tr = Batches(images[~held], labels[~held], shuffle=1000 * seed, augmented=True)
    va = Batches(images[held], labels[held])
    te = Batches(test_images, test_labels)
    return tr, va, te


# %% train-solution
def config(**changes):
    """The settings of a run; config(epochs=3) changes one of them."""
    lr = 5e-4
    return {"epochs": 30, "lr": lr, "accumulation": 1, **changes}


def criterion(logits, labels):
    """The loss of a batch."""
    return F.cross_entropy(logits, labels)


def train(model, tr, va, cfg):
    """Train a model in place; returns its history.

    Args:
        model: any nn.Module that maps images to logits, on any device.
        tr: the loader to learn from.
        va: the loader to validate with after each epoch.
        cfg: the settings.
    """
    device = next(model.parameters()).device
    optimiser = torch.optim.RMSprop(model.parameters(), lr=cfg["lr"])
    history = {"train_loss": [], "val_loss": [], "val_acc": []}
    for _ in range(cfg["epochs"]):
        model.train()
        total, count = 0.0, 0
        for step, (images, labels) in enumerate(tr, start=1):
            images, labels = images.to(device), labels.to(device)
            loss = criterion(model(images), labels)
            if cfg["accumulation"] > 1:
                (loss / cfg["accumulation"]).backward()
                if step % cfg["accumulation"] == 0:
                    optimiser.step()
                    optimiser.zero_grad()
            else:
                for parameter in model.parameters():
                    parameter.grad = None
                loss.backward()
                optimiser.step()
            total += loss.item() * len(labels)
            count += len(labels)
        history["train_loss"].append(total / count)
        found = evaluate(model, va)
        history["val_loss"].append(found["loss"])
        history["val_acc"].append(found["acc"])
    return history
