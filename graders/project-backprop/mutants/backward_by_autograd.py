"""The gradients are autograd's."""
# loses: run_backward
# killed by: test_backward_is_own_work


# %% run_backward-solution
def run_backward(params, acts, cache, dY):
    with torch.enable_grad():
        leaves = [(W.clone().requires_grad_(), b.clone().requires_grad_()) for W, b in params]
        Y, _ = run_forward(leaves, acts, cache[0][0])
        Y.backward(dY)
    return [(W.grad, b.grad) for W, b in leaves]
