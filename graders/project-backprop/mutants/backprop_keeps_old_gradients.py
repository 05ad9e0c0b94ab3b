"""Old gradients are not forgotten."""
# loses: backprop
# killed by: test_old_gradients_are_forgotten


# %% backprop-solution
def backprop(root):
    nodes = order(root)
    root.grad = 1.0
    for node in reversed(nodes):
        for parent, slope in zip(node.parents, node.slopes):
            parent.grad += slope * node.grad
