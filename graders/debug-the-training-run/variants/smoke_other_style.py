"""smoke with state dicts in place of copies, norms by hand, and plain comparisons."""


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
