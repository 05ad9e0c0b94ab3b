"""The root starts with its value."""
# loses: backprop
# killed by: test_root_alone


# %% backprop-solution
def backprop(root):
    nodes = order(root)
    for node in nodes:
        node.grad = 0.0
    root.grad = root.value
    for node in reversed(nodes):
        for parent, slope in zip(node.parents, node.slopes):
            parent.grad += slope * node.grad
