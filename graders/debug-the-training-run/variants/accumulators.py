"""Accumulators in the manner of torchmetrics, on the device of the model; a helper that moves a batch. A network
of linear layers that ends with a log_softmax, which the loss does not change."""


# %% Net-solution
class Net(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.first, self.second = nn.Linear(64, 64), nn.Linear(64, n_classes)

    def forward(self, x):
        hidden = F.dropout(F.leaky_relu(self.first(torch.flatten(x, 1))), 0.1, self.training)
        return F.log_softmax(self.second(hidden), dim=-1)


# %% train-solution
def config(**changes):
    """The settings of a run; config(epochs=3) changes one of them."""
    lr = 0.1
    return {"epochs": 30, "lr": lr, "accumulation": 1, **changes}


def criterion(logits, labels):
    """The loss of a batch."""
    return F.nll_loss(F.log_softmax(logits, dim=-1), labels)


def train(model, tr, va, cfg):
    """Train a model in place; returns its history.

    Args:
        model: any nn.Module that maps images to logits, on any device.
        tr: the loader to learn from.
        va: the loader to validate with after each epoch.
        cfg: the settings.
    """
    optimiser = torch.optim.SGD(model.parameters(), lr=cfg["lr"])
    history = {"train_loss": [], "val_loss": [], "val_acc": []}
    for _ in range(cfg["epochs"]):
        model.train()
        total, count = 0.0, 0
        for step, (images, labels) in enumerate(tr, start=1):
            images, labels = to_model(model, images, labels)
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
        history["val_loss"].append(found["loss"])
        history["val_acc"].append(found["acc"])
    return history


# %% evaluate-solution
class Mean:
    def __init__(self):
        self.total, self.weight = 0.0, 0

    def update(self, values):
        self.total += values.double().sum().item()
        self.weight += values.numel()

    def compute(self):
        return self.total / self.weight


def to_model(model, *tensors):
    device = next(model.parameters()).device
    return [tensor.to(device, non_blocking=True) for tensor in tensors]


def evaluate(model, loader):
    model.train(False)
    loss, accuracy = Mean(), Mean()
    with torch.no_grad():
        for batch in loader:
            images, labels = to_model(model, *batch)
            logits = model(images)
            loss.update(F.cross_entropy(logits, labels, reduction="none"))
            accuracy.update((logits.max(dim=1).indices == labels).float())
    return {"loss": loss.compute(), "acc": accuracy.compute()}
