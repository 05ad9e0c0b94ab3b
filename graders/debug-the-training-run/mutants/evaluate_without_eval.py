"""B8, M1: all is repaired but eval()."""
# loses: evaluate
# killed by: test_evaluation_repeats


# %% evaluate-solution
def evaluate(model, loader):
    """Measure a model: its mean loss and its accuracy."""
    device = next(model.parameters()).device
    loss, hits, count = 0.0, 0.0, 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            logits = model(images)
            loss += criterion(logits, labels).item() * len(labels)
            hits += (logits.argmax(1) == labels).sum().item()
            count += len(labels)
    return {"loss": loss / count, "acc": hits / count}
