"""B4 is left: the optimiser knows only the last layer."""
# loses: train
# killed by: test_every_parameter_learns
# measured by: test_run_learns_the_digits


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
    optimiser = torch.optim.SGD(list(model.children())[-1].parameters(), lr=cfg["lr"])
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
