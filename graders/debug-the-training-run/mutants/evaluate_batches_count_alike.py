"""No batch is dropped, but all count alike."""
# loses: evaluate
# killed by: test_accuracy_counts_every_image[ten], test_loss_counts_every_image[ten]


# %% evaluate-solution
def evaluate(model, loader):
    """Measure a model: its mean loss and its accuracy."""
    device = next(model.parameters()).device
    model.eval()
    loss, hits, count = 0.0, 0.0, 0
    with torch.no_grad():
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            logits = model(images)
            loss += criterion(logits, labels).item()
            hits += (logits.argmax(1) == labels).float().mean().item()
            count += 1
    return {"loss": loss / count, "acc": hits / count}
