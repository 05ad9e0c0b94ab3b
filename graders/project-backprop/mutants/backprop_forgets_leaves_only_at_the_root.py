"""The root adds to its own old gradient."""
# loses: backprop
# killed by: test_old_gradients_are_forgotten


# %% backprop-solution
def backprop(root):
    nodes = order(root)
    for node in nodes[:-1]:
        node.grad = 0.0
    root.grad += 1.0
    for node in reversed(nodes):
        for parent, slope in zip(node.parents, node.slopes):
            parent.grad += slope * node.grad
