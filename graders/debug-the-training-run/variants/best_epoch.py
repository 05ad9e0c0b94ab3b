"""One learning rate cycle, the best epoch restored at the end; rows held out by scikit-learn. smoke with state
dicts in place of copies, norms by hand, and plain comparisons."""


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

    # Sorted by class, every fifth is for validation: so each class has its share in both parts.
    from sklearn.model_selection import train_test_split

    _, rows = train_test_split(range(len(labels)), test_size=0.2, stratify=labels, random_state=seed)
    held = torch.zeros(len(labels), dtype=torch.bool)
    held[rows] = True

    # Mean 0 and standard deviation 1.
    pixels = images[~held]
    mean, std = pixels.mean(), pixels.std()
    images, test_images = (images - mean) / std, (test_images - mean) / std

    tr = Batches(images[~held], labels[~held], shuffle=generator, augmented=True)
    va = Batches(images[held], labels[held])
    te = Batches(test_images, test_labels)
    return tr, va, te


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
    optimiser = torch.optim.SGD(model.parameters(), lr=cfg["lr"])
    steps = cfg["epochs"] * max(1, sum(1 for _ in tr) // cfg["accumulation"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4 * cfg["lr"], total_steps=steps + 1, cycle_momentum=False)
    best, weights = math.inf, copy.deepcopy(model.state_dict())
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
                    schedule.step()
            else:
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
            total += loss.item() * len(labels)
            count += len(labels)
        history["train_loss"].append(total / count)
        found = evaluate(model, va)
        history["val_loss"].append(found["loss"])
        history["val_acc"].append(found["acc"])
        if found["loss"] <= best:
            best, weights = found["loss"], copy.deepcopy(model.state_dict())
    model.load_state_dict(weights)
    return history


# %% smoke-solution
def smoke(model, batch):
    x, y = batch
    count = y.shape[0] // 2
    saved = {name: value.clone() for name, value in model.state_dict().items()}
    grads = [parameter.grad for parameter in model.parameters()]
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        with torch.inference_mode():
            first, second = model(x).clone(), model(x).clone()
        model.load_state_dict(saved)
        classes = first.size(1)
        report = {"init_loss": float(nn.CrossEntropyLoss()(first, y)), "eval_deterministic": bool((first == second).all())}
        fit(model, x, y, steps=1, lr=0.0)
        report["grad_norms"] = {
            name: float(torch.sqrt((p.grad**2).sum())) if p.grad is not None else 0.0 for name, p in model.named_parameters()
        }
        model.load_state_dict(saved)
        report["memorise_loss"] = float(F.cross_entropy(fit(model, x, y)(x), y))
        model.load_state_dict(saved)
        order = torch.randperm(count)
        fit(model, x[:count], y[order])
        report["label_shuffle_acc"] = (model(x[count:]).argmax(-1) == y[count:]).double().mean().item()
    finally:
        model.load_state_dict(saved)
        for parameter, grad in zip(model.parameters(), grads):
            parameter.grad = grad
        for module, mode in modes.items():
            module.training = mode
    flags = []
    if not math.log(classes) - 0.5 <= report["init_loss"] <= math.log(classes) + 0.5:
        flags.append("init_loss")
    if any(not (norm > 0 and math.isfinite(norm)) for norm in report["grad_norms"].values()):
        flags.append("grad_norms")
    if not report["memorise_loss"] <= 0.3:
        flags.append("memorise_loss")
    if not report["eval_deterministic"]:
        flags.append("eval_deterministic")
    if report["label_shuffle_acc"] > 0.7:
        flags.append("label_shuffle_acc")
    report["flags"] = flags
    return report


def fit(model, x, y, steps=50, lr=0.02):
    for parameter in model.parameters():
        parameter.grad = None
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=lr)
    model.train()
    for _ in range(steps):
        optimiser.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimiser.step()
    return model.eval()
