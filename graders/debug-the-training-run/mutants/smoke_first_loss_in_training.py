"""The first loss is measured with dropout."""
# loses: smoke
# killed by: test_first_loss_is_measured_in_evaluation


# %% smoke-solution
def smoke(model, batch):
    """Test any classifier quickly.

    Args:
        model: maps images to logits (N, C); it stays as it is.
        batch: (images, labels).

    Returns:
        A dict with init_loss, grad_norms, memorise_loss, eval_deterministic, label_shuffle_acc and flags.
    """
    inputs, labels = batch
    half = len(labels) // 2
    shuffled = labels[:half][torch.randperm(half)]
    calm = copy.deepcopy(model).train()
    with torch.no_grad():
        logits, again = calm(inputs), calm(inputs)
    found = {
        "init_loss": F.cross_entropy(logits, labels).item(),
        "grad_norms": _gradient_norms(copy.deepcopy(model), inputs, labels),
        "memorise_loss": F.cross_entropy(_trained_logits(model, inputs, labels, inputs), labels).item(),
        "eval_deterministic": torch.equal(logits, again),
    }
    guesses = _trained_logits(model, inputs[:half], shuffled, inputs[half:]).argmax(1)
    found["label_shuffle_acc"] = (guesses == labels[half:]).float().mean().item()
    fine = {
        "init_loss": abs(found["init_loss"] - math.log(logits.shape[1])) <= 0.5,
        "grad_norms": all(0 < norm < math.inf for norm in found["grad_norms"].values()),
        "memorise_loss": found["memorise_loss"] <= 0.3,
        "eval_deterministic": found["eval_deterministic"],
        "label_shuffle_acc": found["label_shuffle_acc"] <= 0.7,
    }
    return {**found, "flags": [name for name, is_fine in fine.items() if not is_fine]}


def _gradient_norms(model, images, labels):
    """By name, the norm of the gradient of each parameter."""
    model.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    if loss.requires_grad:
        loss.backward()
    return {name: 0.0 if p.grad is None else p.grad.norm().item() for name, p in model.named_parameters()}


def _trained_logits(model, images, labels, asked):
    """The logits of other images by a copy that was trained on one batch."""
    model = copy.deepcopy(model).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(50):
        loss = F.cross_entropy(model(images), labels)
        if loss.requires_grad:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    model.eval()
    with torch.no_grad():
        return model(asked)
