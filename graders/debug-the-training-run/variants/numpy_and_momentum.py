"""NumPy draws the split and the order, and computes the statistics; scaled after the batch is drawn. Momentum;
evaluate restores the mode that it found, and train() stands behind the validation."""


# %% make_sets-solution
import numpy as np

BATCH = 32


class NumpyBatches:
    def __init__(self, images, labels, mean, std, order=None):
        self.images, self.labels, self.mean, self.std, self.order = images, labels, mean, std, order

    def __len__(self):
        return (len(self.labels) + 24) // 25

    def __iter__(self):
        n = len(self.labels)
        rows = np.arange(n) if self.order is None else self.order.permutation(n)
        for start in range(0, n, 25):
            batch = rows[start : start + 25]
            images = torch.from_numpy((self.images[batch] - self.mean) / self.std).float()
            if self.order is not None:
                images = augment(images)
            yield images, torch.from_numpy(self.labels[batch])


def make_sets(seed):
    (images, labels), (test_images, test_labels) = read_data()
    rng = np.random.default_rng(seed)
    images, labels = images.numpy(), labels.numpy()
    rows = rng.permutation(len(labels))
    held, kept = np.split(rows, [len(rows) // 5])
    mean, std = images[kept].mean(), images[kept].std()
    return (
        NumpyBatches(images[kept], labels[kept], mean, std, rng),
        NumpyBatches(images[held], labels[held], mean, std),
        NumpyBatches(test_images.numpy(), test_labels.numpy(), mean, std),
    )


# %% train-solution
def config(**changes):
    """The settings of a run; config(epochs=3) changes one of them."""
    lr = 0.02
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
    optimiser = torch.optim.SGD(model.parameters(), lr=cfg["lr"], momentum=0.9, nesterov=True)
    history = {"train_loss": [], "val_loss": [], "val_acc": []}
    model.train()
    for _ in range(cfg["epochs"]):
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
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            total += loss.item() * len(labels)
            count += len(labels)
        history["train_loss"].append(total / count)
        found = evaluate(model, va)
        model.train()
        history["val_loss"].append(found["loss"])
        history["val_acc"].append(found["acc"])
    return history


# %% evaluate-solution
@torch.inference_mode()
def evaluate(model, loader):
    training = model.training
    model.eval()
    try:
        pairs = [(model(x.to(model_device(model))), y.to(model_device(model))) for x, y in loader]
    finally:
        model.train(training)
    logits, labels = torch.cat([a for a, _ in pairs]), torch.cat([b for _, b in pairs])
    return {
        "loss": F.cross_entropy(logits, labels).item(),
        "acc": (logits.argmax(dim=-1) == labels).double().mean().item(),
    }


def model_device(model):
    return next(iter(model.parameters())).device
