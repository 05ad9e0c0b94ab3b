"""A parent that is there twice is served once."""
# loses: backprop
# killed by: test_node_used_twice


# %% backprop-solution
def backprop(root):
    nodes = order(root)
    for node in nodes:
        node.grad = 0.0
    root.grad = 1.0
    for node in reversed(nodes):
        for parent, slope in dict(zip(node.parents, node.slopes)).items():
            parent.grad += slope * node.grad
