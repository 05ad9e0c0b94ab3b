"""The root's own gradient is not set."""
# loses: backprop
# killed by: test_root_alone


# %% backprop-solution
def backprop(root):
    nodes = order(root)
    for node in nodes:
        node.grad = 0.0
    for node in reversed(nodes):
        for parent, slope in zip(node.parents, node.slopes):
            parent.grad += slope * node.grad
