"""Works with loops over single numbers."""

# %% double-solution
def double(x):
    result = torch.empty_like(x)
    flat, out = x.reshape(-1), result.view(-1)
    for index in range(flat.numel()):
        out[index] = flat[index] + flat[index]
    return result

# %% softmax-solution
def softmax(x):
    rows = []
    for row in x.reshape(-1, x.shape[-1]):
        top = max(row)
        parts = [(value - top).exp() for value in row]
        rows.append(torch.stack([part / sum(parts) for part in parts]))
    return torch.stack(rows).reshape(x.shape)
