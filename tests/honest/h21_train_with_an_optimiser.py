"""Trains a small model with an optimiser inside the function."""

# %% predict-solution
def predict(x, labels, new):
    torch.manual_seed(0)
    weight, bias = torch.zeros(2, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([weight, bias], lr=1.0)
    for _ in range(25):
        optimiser.zero_grad()
        score = (x - 3) @ weight + bias
        each = torch.nn.functional.binary_cross_entropy_with_logits(score, labels.float(), reduction="none")
        sum(each[labels == label].mean() for label in (0, 1)).backward()
        optimiser.step()
    return ((new - 3) @ weight + bias > 0).long()
