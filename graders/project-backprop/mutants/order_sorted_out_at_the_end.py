"""All ways are gone, and double nodes are taken out at the end."""
# loses: order
# killed by: test_many_ways_cost_nothing


# %% order-solution
def ways(root):
    return [node for parent in root.parents for node in ways(parent)] + [root]


def order(root):
    return list(dict.fromkeys(ways(root)))
