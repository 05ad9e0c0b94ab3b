"""Every way is followed on its own, by recursion."""
# loses: backprop
# killed by: test_long_chain_is_differentiated


# %% backprop-solution
def backprop(root):
    for node in order(root):
        node.grad = 0.0
    push(root, 1.0)


def push(node, arriving):
    node.grad += arriving
    for parent, slope in zip(node.parents, node.slopes):
        push(parent, arriving * slope)
