"""B14 is left in evaluate: the batch is not moved to the device of the model."""
# loses: evaluate
# killed by: test_evaluation_follows_the_model


# %% evaluate-solution
def evaluate(model, loader):
    """Measure a model: its mean loss and its accuracy."""
    device = next(model.parameters()).device
    model.eval()
    loss, hits, count = 0.0, 0.0, 0
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images)
            loss += criterion(logits, labels).item() * len(labels)
            hits += (logits.argmax(1) == labels).sum().item()
            count += len(labels)
    return {"loss": loss / count, "acc": hits / count}
