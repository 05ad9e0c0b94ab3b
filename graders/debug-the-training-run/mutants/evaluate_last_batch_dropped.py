"""The last batch is still dropped."""
# loses: evaluate
# killed by: test_accuracy_counts_every_image[ten]


# %% evaluate-solution
def evaluate(model, loader):
    """Measure a model: its mean loss and its accuracy."""
    device = next(model.parameters()).device
    model.eval()
    loss, hits, count = 0.0, 0.0, 0
    with torch.no_grad():
        for images, labels in list(loader)[:-1]:
            images, labels = images.to(device), labels.to(device)
            logits = model(images)
            loss += criterion(logits, labels).item() * len(labels)
            hits += (logits.argmax(1) == labels).sum().item()
            count += len(labels)
    return {"loss": loss / count, "acc": hits / count}
