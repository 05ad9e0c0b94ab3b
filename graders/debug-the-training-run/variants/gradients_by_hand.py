"""A mean for each pixel, classes one after the other, lists of batches made anew in each pass. No optimiser:
torch.autograd.grad and an update by hand."""


# %% make_sets-solution
BATCH = 32


class Lists:
    def __init__(self, make):
        self.make = make

    def __iter__(self):
        return iter(self.make())

    def __len__(self):
        return sum(1 for _ in self.make())


def in_batches(images, labels):
    return list(zip(images.split(BATCH), labels.split(BATCH)))


def make_sets(seed):
    (images, labels), (test_images, test_labels) = read_data()
    drawn = torch.Generator()
    drawn.manual_seed(1000 + seed)
    held = torch.zeros(len(labels), dtype=torch.bool)
    for digit in labels.unique():
        rows = (labels == digit).nonzero()[:, 0]
        rows = rows[torch.randperm(len(rows), generator=drawn)]
        held[rows[: len(rows) // 5]] = True
    mean = images[~held].mean(0)
    std = (images[~held] - mean).std()

    def scaled(x):
        return (x - mean) / (std + 1e-8)

    def training():
        rows = (~held).nonzero()[:, 0]
        rows = rows[torch.randperm(len(rows), generator=drawn)]
        return in_batches(augment(scaled(images[rows])), labels[rows])

    return (
        Lists(training),
        Lists(lambda: in_batches(scaled(images[held]), labels[held])),
        Lists(lambda: in_batches(scaled(test_images), test_labels)),
    )


# %% train-solution
def config(**changes):
    """The settings of a run; config(epochs=3) changes one of them."""
    lr = 0.1
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
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    sums = [torch.zeros_like(weight) for weight in weights]
    history = {"train_loss": [], "val_loss": [], "val_acc": []}
    for _ in range(cfg["epochs"]):
        model.train()
        total, count = 0.0, 0
        for step, (images, labels) in enumerate(tr, start=1):
            images, labels = images.to(device), labels.to(device)
            loss = criterion(model(images), labels)
            for total_gradient, gradient in zip(sums, torch.autograd.grad(loss, weights)):
                total_gradient += gradient / cfg["accumulation"]
            if step % cfg["accumulation"] == 0:
                with torch.no_grad():
                    for weight, total_gradient in zip(weights, sums):
                        weight -= cfg["lr"] * total_gradient
                        total_gradient.zero_()
            total += loss.item() * len(labels)
            count += len(labels)
        history["train_loss"].append(total / count)
        found = evaluate(model, va)
        history["val_loss"].append(found["loss"])
        history["val_acc"].append(found["acc"])
    return history
