"""The gradients are finite differences."""
# loses: run_backward
# killed by: test_gradients_of_any_depth


# %% run_backward-solution
def run_backward(params, acts, cache, dY, eps=1e-6):
    grads = []
    for layer in params:
        found = []
        for part in layer:
            slopes = torch.zeros_like(part)
            for place in range(part.numel()):
                kept = part.view(-1)[place].item()
                ends = []
                for step in (eps, -eps):
                    part.view(-1)[place] = kept + step
                    ends.append((run_forward(params, acts, cache[0][0])[0] * dY).sum())
                part.view(-1)[place] = kept
                slopes.view(-1)[place] = (ends[0] - ends[1]) / (2 * eps)
            found.append(slopes)
        grads.append(tuple(found))
    return grads
