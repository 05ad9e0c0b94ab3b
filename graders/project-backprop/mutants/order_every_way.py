"""Nobody remembers which nodes were seen."""
# loses: order
# killed by: test_parents_come_first, test_many_ways_cost_nothing


# %% order-solution
def order(root):
    return [node for parent in root.parents for node in order(parent)] + [root]
