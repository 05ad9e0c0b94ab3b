"""Autograd is called under another name."""
# loses: run_backward
# killed by: test_backward_is_own_work


# %% run_backward-solution
differentiate = getattr(torch.autograd, "gr" + "ad")


def run_backward(params, acts, cache, dY):
    torch.set_grad_enabled(True)
    leaves = [p.clone() for layer in params for p in layer]
    for p in leaves:
        setattr(p, "requires_grad", True)
    Y, _ = run_forward(list(zip(leaves[::2], leaves[1::2])), acts, cache[0][0])
    found = differentiate(Y, leaves, dY)
    return list(zip(found[::2], found[1::2]))
