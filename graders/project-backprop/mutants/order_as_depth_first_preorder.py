"""A node is listed when it is first seen, then all is turned around."""
# loses: order
# killed by: test_parents_come_first, test_short_and_long_way


# %% order-solution
def order(root):
    found, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.append(node)
            waiting += node.parents
    return found[::-1]
