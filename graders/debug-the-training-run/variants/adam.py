"""Adam with decay, a scheduler, clipped gradients; cleared after the step."""


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
