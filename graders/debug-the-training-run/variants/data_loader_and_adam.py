"""Datasets and DataLoader, with a generator and a function that collates. Adam with decay, a scheduler, clipped
gradients; cleared after the step. A deeper network with batch norm, in one Sequential."""


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


# %% make_sets-solution
BATCH = 32


class Pictures(torch.utils.data.Dataset):
    def __init__(self, images, labels, scale, grain=False):
        self.images, self.labels, self.scale, self.grain = images, labels, scale, grain

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, row):
        mean, std = self.scale
        image = (self.images[row] - mean) / std
        return (augment(image) if self.grain else image), self.labels[row]


def make_sets(seed):
    (images, labels), (test_images, test_labels) = read_data()
    everything = torch.utils.data.TensorDataset(images, labels)
    n_held = round(len(everything) / 5)
    held, kept = torch.utils.data.random_split(
        range(len(everything)), [n_held, len(everything) - n_held], generator=torch.Generator().manual_seed(seed)
    )
    held, kept = list(held), list(kept)
    scale = images[kept].mean().item(), images[kept].std().item()
    order = torch.Generator().manual_seed(seed + 1)
    tr = torch.utils.data.DataLoader(
        Pictures(images[kept], labels[kept], scale, grain=True), batch_size=BATCH, shuffle=True, generator=order
    )
    va = torch.utils.data.DataLoader(Pictures(images[held], labels[held], scale), batch_size=2 * BATCH)
    te = torch.utils.data.DataLoader(Pictures(test_images, test_labels, scale), batch_size=2 * BATCH)
    return tr, va, te


# %% train-solution
def config(**changes):
    return {"epochs": 20, "lr": 2e-3, "accumulation": 1, "decay": 1e-4, **changes}


loss_function = nn.CrossEntropyLoss()


def criterion(logits, labels):
    return loss_function(logits, labels)


def train(model, tr, va, cfg):
    place = next(model.parameters()).device
    optimizer = torch.optim.AdamW(model.parameters(), lr=cfg["lr"], weight_decay=cfg["decay"])
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, cfg["epochs"])
    optimizer.zero_grad()
    history = {"train_loss": [], "val_loss": [], "val_acc": []}
    waiting = 0
    for epoch in range(cfg["epochs"]):
        model.train()
        losses, sizes = [], []
        for x, y in tr:
            x, y = x.to(place), y.to(place)
            loss = criterion(model(x), y)
            (loss / cfg["accumulation"]).backward()
            waiting += 1
            if waiting == cfg["accumulation"]:
                nn.utils.clip_grad_norm_(model.parameters(), 5.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                waiting = 0
            losses.append(loss.detach())
            sizes.append(len(y))
        scheduler.step()
        weights = torch.tensor(sizes, dtype=torch.float64)
        history["train_loss"].append(float((torch.stack(losses).cpu().double() * weights).sum() / weights.sum()))
        result = evaluate(model, va)
        history["val_loss"].append(result["loss"])
        history["val_acc"].append(result["acc"])
    return history
