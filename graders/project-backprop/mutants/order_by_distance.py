"""Nodes are sorted by their shortest way to the root."""
# loses: order
# killed by: test_parents_come_first, test_short_and_long_way


# %% order-solution
def order(root):
    found = [root]
    for node in found:
        found += [parent for parent in dict.fromkeys(node.parents) if parent not in found]
    return found[::-1]
