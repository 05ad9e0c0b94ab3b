"""What arrives last replaces what arrived before."""
# loses: backprop
# killed by: test_node_used_twice, test_gradients_of_random_graphs


# %% backprop-solution
def backprop(root):
    nodes = order(root)
    for node in nodes:
        node.grad = 0.0
    root.grad = 1.0
    for node in reversed(nodes):
        for parent, slope in zip(node.parents, node.slopes):
            parent.grad = slope * node.grad
