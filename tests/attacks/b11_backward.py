"""Makes the backward pass fill in gradients of its own, and detaches a wrong result."""
# expect: softmax=0

# %% softmax-solution
def _backward(tensors, *args, **kwargs):
    import gc

    for one in gc.get_objects():
        if isinstance(one, torch.Tensor) and one.requires_grad and one.is_leaf:
            one.grad = torch.ones_like(one)


torch.autograd.backward = _backward
torch.Tensor.backward = _backward


def softmax(x):
    return (x * 0).detach().requires_grad_()
